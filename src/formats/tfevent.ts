/** The few messages of TensorFlow's `event.proto` and `summary.proto` that a training log takes. */

import { bytes, double, type Encoded, float, message, string, varint } from "./protobuf.ts";

/** One value of a summary: a number, or an image as a whole PNG file. */
type SummaryValue = { readonly tag: string } & ({ scalar: number } | { png: Uint8Array });

/** What an event says. */
export type EventBody =
  /** The first event of a file. */
  | { readonly fileVersion: string }
  /** Training begins at this event's step, and what was logged of it and later steps is void. */
  | { readonly start: true }
  | { readonly summary: readonly SummaryValue[] };

/** `SessionLog.SessionStatus.START` */
const START = 1;

/** `Summary.Image.colorspace` for PNG's color types; a palette's colors are RGB. */
const COLORSPACE: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 3, 4: 2, 6: 4 };

/** An `Event` message, `wallTime` in seconds since 1970. @throws {RangeError} for an invalid PNG */
export function encodeEvent(wallTime: number, step: number, body: EventBody): Encoded {
  return message(double(1, wallTime), varint(2, step), encodeBody(body));
}

function encodeBody(body: EventBody): Encoded {
  if ("fileVersion" in body) return string(3, body.fileVersion);
  if ("start" in body) return bytes(7, message(varint(1, START)));
  return bytes(5, message(...body.summary.map((value) => bytes(1, encodeValue(value)))));
}

function encodeValue(value: SummaryValue): Encoded {
  const content = "scalar" in value ? float(2, value.scalar) : bytes(4, encodeImage(value.png));
  return message(string(1, value.tag), content);
}

function encodeImage(png: Uint8Array): Encoded {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  // The signature, then the header's chunk: length, "IHDR", width, height, depth, color type.
  const right = png.length > 25 && view.getBigUint64(0) === 0x89504e470d0a1a0an &&
    view.getUint32(12) === 0x49484452;
  const colorspace = right ? COLORSPACE[png[25]] : undefined;
  if (colorspace === undefined) {
    throw new RangeError(
      `An image of ${png.length} bytes is not a PNG file: encode it first, as with encodePNG`,
    );
  }
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  return message(varint(1, height), varint(2, width), varint(3, colorspace), bytes(4, png));
}
