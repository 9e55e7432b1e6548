/**
 * Event files, read by an npm package that checks TFRecord's checksums, and protobufjs with the
 * fields of TensorFlow's `event.proto`.
 */

import { join } from "node:path";
import { namesIn } from "./training.ts";
import protobuf from "npm:protobufjs@8.8.1";
// @ts-types="./tfrecord.d.ts"
import { RecordReader } from "npm:tfrecord@0.2.0/lib/record_reader.js";

const Event = protobuf.parse(`
  syntax = "proto3";
  message Event {
    double wall_time = 1;
    int64 step = 2;
    oneof what { string file_version = 3; Summary summary = 5; SessionLog session_log = 7; }
  }
  message SessionLog {
    enum SessionStatus { STATUS_UNSPECIFIED = 0; START = 1; STOP = 2; CHECKPOINT = 3; }
    SessionStatus status = 1;
  }
  message Summary {
    message Image {
      int32 height = 1;
      int32 width = 2;
      int32 colorspace = 3;
      bytes encoded_image_string = 4;
    }
    message Value {
      string tag = 1;
      oneof value { float simple_value = 2; Image image = 4; }
    }
    repeated Value value = 1;
  }
`).root.lookupType("Event");

interface Read {
  readonly wallTime: number;
  readonly step: number;
  readonly fileVersion?: string;
  readonly sessionLog?: { readonly status: string };
  readonly summary?: {
    readonly value: readonly {
      readonly tag: string;
      readonly simpleValue?: number;
      readonly image?: {
        readonly height: number;
        readonly width: number;
        readonly colorspace: number;
        readonly encodedImageString: Uint8Array;
      };
    }[];
  };
}

export async function readEvents(path: string): Promise<Read[]> {
  const reader = await RecordReader.create(path);
  const events: Read[] = [];
  for (let record; (record = await reader.readRecord());) {
    const event = Event.decode(new Uint8Array(record));
    events.push(Event.toObject(event, { longs: Number, enums: String }) as Read);
  }
  return events;
}

/** The steps and values of each tag that TensorBoard shows of a folder; an image's value is its bytes. */
export async function scalarsIn(folder: string): Promise<Record<string, [number, unknown][]>> {
  const shown: Record<string, [number, unknown][]> = {};
  for (const name of namesIn(folder)) {
    for (const { step, sessionLog, summary } of await readEvents(join(folder, name))) {
      // A start takes back what was said of its step and later ones.
      if (sessionLog?.status === "START") {
        for (const tag in shown) shown[tag] = shown[tag].filter(([at]) => at < step);
      }
      for (const { tag, simpleValue, image } of summary?.value ?? []) {
        (shown[tag] ??= []).push([step, simpleValue ?? image?.encodedImageString]);
      }
    }
  }
  return shown;
}
