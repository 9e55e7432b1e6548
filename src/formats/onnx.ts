/**
 * The ONNX format: a graph of nodes with its weights, as protocol buffers. What is here is the part
 * of the schema that a network for inference needs.
 *
 * Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
 */

import { floatBytes } from "./bytes.ts";
import { bytes, type Encoded, float, message, packedInt64s, string, varint } from "./protobuf.ts";

/** Operators as of this version of the default domain, and the file format that came with it. */
const [OPSET, IR_VERSION] = [17, 8];

/** TensorProto.DataType and AttributeProto.AttributeType. */
const DATA = { float: 1, int64: 7 };
const ATTRIBUTE = { float: 1, int: 2, ints: 7 };

/** A whole number, a real one, or a list of whole ones, as the operator's attribute demands. */
export type OnnxAttribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly ints: readonly number[] };

/** One operator with the names of what it reads and computes. */
export interface OnnxNode {
  readonly name: string;
  /** The operator, `ConvTranspose`. */
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

/** A constant of the graph: weights, or the shape that `Reshape` takes. */
export interface OnnxTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | { readonly int64: readonly number[] };
}

/** A tensor that goes in or out; a text instead of a size names an axis of any size. */
interface OnnxValue {
  readonly name: string;
  readonly shape: readonly (number | string)[];
  /** Default float. */
  readonly type?: keyof typeof DATA;
}

interface OnnxModel {
  readonly name: string;
  /** Program that made it, and its version. */
  readonly producer: readonly [name: string, version: string];
  /** In an order in which each reads only what came before. */
  readonly nodes: readonly OnnxNode[];
  readonly tensors: readonly OnnxTensor[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

function attribute(name: string, value: OnnxAttribute): Encoded {
  const of = (field: Encoded, type: number) => message(string(1, name), field, varint(20, type));
  if ("int" in value) return of(varint(3, value.int), ATTRIBUTE.int);
  if ("float" in value) return of(float(2, value.float), ATTRIBUTE.float);
  return of(packedInt64s(8, value.ints), ATTRIBUTE.ints);
}

function node({ name, op, inputs, outputs, attributes = {} }: OnnxNode): Encoded {
  return message(
    ...inputs.map((input) => string(1, input)),
    ...outputs.map((output) => string(2, output)),
    string(3, name),
    string(4, op),
    ...Object.entries(attributes).map(([key, value]) => bytes(5, attribute(key, value))),
  );
}

function tensor({ name, shape, data }: OnnxTensor): Encoded {
  return message(
    packedInt64s(1, shape),
    varint(2, data instanceof Float32Array ? DATA.float : DATA.int64),
    string(8, name),
    data instanceof Float32Array ? bytes(9, floatBytes(data)) : packedInt64s(7, data.int64),
  );
}

function value({ name, shape, type = "float" }: OnnxValue): Encoded {
  const axes = shape.map((n) => bytes(1, typeof n === "number" ? varint(1, n) : string(2, n)));
  const tensorType = message(varint(1, DATA[type]), bytes(2, message(...axes)));
  return message(string(1, name), bytes(2, bytes(1, tensorType)));
}

/** The bytes of a model's file, weights inside. */
export function encodeONNX(model: OnnxModel): Encoded {
  const { name, producer, nodes, tensors, inputs, outputs } = model;
  const graph = message(
    ...nodes.map((each) => bytes(1, node(each))),
    string(2, name),
    ...tensors.map((each) => bytes(5, tensor(each))),
    ...inputs.map((each) => bytes(11, value(each))),
    ...outputs.map((each) => bytes(12, value(each))),
  );
  const [program, version] = producer;
  const opset = message(string(1, ""), varint(2, OPSET));
  const header = [varint(1, IR_VERSION), string(2, program), string(3, version)];
  return message(...header, bytes(7, graph), bytes(8, opset));
}
