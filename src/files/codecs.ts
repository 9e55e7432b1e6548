/**
 * The decoders of JPEG and WebP: libraries in C, compiled to WebAssembly, in npm packages that are
 * loaded when the first such file is met. PNG has one that is always there.
 */

import { DataError } from "../errors.ts";
import { reasonOf } from "./atomic.ts";
import { system } from "./system.ts";

/** MozJPEG, and libwebp. */
const JPEG_PACKAGE = "@jsquash/jpeg@1.6.0";
const WEBP_PACKAGE = "@jsquash/webp@1.5.0";

const PACKAGES = {
  JPEG: [JPEG_PACKAGE, "mozjpeg_dec"],
  WebP: [WEBP_PACKAGE, "webp_dec"],
} as const;

/** Pixels as a decoder gives them: RGB and alpha, not multiplied. */
interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

/** A package's module. */
interface Codec {
  /** Starts the decoder anew, with its memory. */
  init(
    module: WebAssembly.Module,
    options: { readonly print: () => void; readonly printErr: (text: string) => void },
  ): Promise<void>;
  /** The types say that it takes an ArrayBuffer; it takes any bytes. */
  default(file: Uint8Array): Promise<Pixels>;
}

/** @throws {Error} saying what is wrong with the file, which is then damaged. */
export type Decode = (file: Uint8Array) => Promise<Pixels>;

const decoders = new Map<keyof typeof PACKAGES, Promise<Decode>>();

/**
 * The decoder of a kind of file. Permissions: read for Deno's cache.
 *
 * @throws {DataError} when its package cannot be loaded.
 */
export function decoderOf(kind: keyof typeof PACKAGES): Promise<Decode> {
  if (!decoders.has(kind)) decoders.set(kind, load(kind));
  return decoders.get(kind)!;
}

async function load(kind: keyof typeof PACKAGES): Promise<Decode> {
  const [id, codec] = PACKAGES[kind];
  // Deno and bundlers cannot foresee a specifier that is computed: only who uses it fetches it.
  const name = "Deno" in globalThis ? `npm:${id}` : id.replace(/@[^@]+$/, "");
  let url = "";
  try {
    const { init, default: decode }: Codec = await import(`${name}/decode.js`);
    url = import.meta.resolve(`${name}/codec/dec/${codec}.wasm`);
    const module = await WebAssembly.compile(await system.readFile(new URL(url)));
    return await decoder(
      decode,
      (said) => init(module, { print: () => {}, printErr: (text) => said.push(text) }),
    );
  } catch (cause) {
    decoders.delete(kind);
    const denied = (cause as Error).name === "NotCapable";
    const remedy = denied
      ? `Run with --allow-read=${decodeURIComponent(new URL(".", url).pathname)}`
      : "Install it where there is a network, or convert the images to PNG";
    throw new DataError(
      `${kind} files need npm package ${id}, which cannot be loaded: ${reasonOf(cause)}. ${remedy}`,
      { cause },
    );
  }
}

/** @param start starts the codec; it adds to the list what the codec says about a file */
async function decoder(
  decode: Codec["default"],
  start: (said: string[]) => Promise<void>,
): Promise<Decode> {
  let said: string[] = [];
  const restart = () => withoutLocation(() => start(said = []));
  await restart();
  return async (file) => {
    try {
      const pixels = await decode(file);
      // It has filled with gray what it could not read.
      if (said.length) throw new Error(said[0]);
      return pixels;
    } catch (error) {
      const reason = said.at(-1) ?? (error as Error).message;
      await restart(); // It has ended like a program.
      throw new Error(reason, { cause: error });
    }
  };
}

/** These packages set `location` in runtimes without it; other code would take that for a browser. */
async function withoutLocation(body: () => Promise<void>): Promise<void> {
  const before = Object.getOwnPropertyDescriptor(globalThis, "location");
  await body();
  if (before) Object.defineProperty(globalThis, "location", before);
  else delete (globalThis as { location?: unknown }).location;
}
