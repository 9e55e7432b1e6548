import { dirname, join } from "node:path";

/** Runs `body` with a folder of its own, which is removed whatever happens. */
export async function inFolder<T>(body: (dir: string) => Promise<T>): Promise<T> {
  const dir = await Deno.makeTempDir();
  try {
    return await body(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Writes files into a folder, making the folders that they are in. */
export async function put(
  dir: string,
  files: Readonly<Record<string, Uint8Array | string>>,
): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(dir, name);
    await Deno.mkdir(dirname(path), { recursive: true });
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(path, bytes);
  }
}

/** Runs `body` with a folder that holds these files. */
export const withFiles = <T>(
  files: Readonly<Record<string, Uint8Array | string>>,
  body: (dir: string) => Promise<T>,
) =>
  inFolder(async (dir) => {
    await put(dir, files);
    return await body(dir);
  });
