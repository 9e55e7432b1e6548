/** A device for the tests of a file, and programs that they run with arrays of numbers in and out. */

import {
  type DType,
  Gpu,
  type Program,
  type Shape,
  type Tensor,
  type TensorLike,
  type TypedArray,
  type Variable,
} from "../../mod.ts";

export const gpu = await Gpu.request();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

/** Values of an input: a vector, or of a shape. Words and bytes by the kind of their array. */
type Given = ArrayLike<number> | { readonly shape: Shape; readonly data: ArrayLike<number> };

type Values<K extends string> = Record<K, number[]>;

const typeOf = (data: ArrayLike<number>): DType =>
  data instanceof Uint32Array ? "u32" : data instanceof Uint8Array ? "u8" : "f32";

/** Runs a program and reads all of its outputs. */
export async function run<
  I extends string,
  O extends string,
  A extends Readonly<Record<O, TypedArray>>,
>(
  program: Program<I, O, A>,
  data: Partial<Record<I, ArrayLike<number>>> = {},
): Promise<Values<O>> {
  program.run(data);
  const outputs = Object.entries<ArrayLike<number>>(await program.read());
  return Object.fromEntries(outputs.map(([name, y]) => [name, Array.from(y)])) as Values<O>;
}

/** What a recording computes of some values in its first run. */
export async function compute<K extends string, T extends Readonly<Record<string, TensorLike>>>(
  given: Readonly<Record<K, Given>>,
  body: (inputs: Record<K, Tensor>) => T,
  on = gpu,
): Promise<Values<Extract<keyof T, string>>> {
  const specs: Record<string, { shape: Shape; dtype: DType }> = {};
  const values: Record<string, ArrayLike<number>> = {};
  for (const [name, x] of Object.entries<Given>(given)) {
    values[name] = "shape" in x ? x.data : x;
    const shape = "shape" in x ? x.shape : [x.length];
    specs[name] = { shape, dtype: typeOf(values[name]) };
  }
  using program = on.compile(specs, (inputs) => body(inputs as Record<K, Tensor>));
  return await run(program, values);
}

/** What variables hold. */
export function held(...variables: readonly Variable[]): Promise<number[][]> {
  return Promise.all(variables.map(async (v) => Array.from(await v.read())));
}
