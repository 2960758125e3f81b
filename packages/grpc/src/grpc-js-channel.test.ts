import * as grpcJs from "@grpc/grpc-js";
import { MeshError } from "@heddle/core";
import { expect, test } from "vitest";
import { checkGrpcJs } from "./grpc-js-channel.ts";

/** grpc-js as another version might be: its channel after `change`. */
function changed(change: (channel: Record<string, Record<string, unknown>>) => void): typeof grpcJs {
  class Channel extends grpcJs.Channel {
    constructor(...args: ConstructorParameters<typeof grpcJs.Channel>) {
      super(...args);
      change(this as unknown as Record<string, Record<string, unknown>>);
    }
  }
  return { ...grpcJs, Channel };
}

function refusal(module: typeof grpcJs): string {
  try {
    checkGrpcJs(module);
  } catch (error) {
    if (error instanceof MeshError && error.code === "invalid_config") return error.message;
    throw error;
  }
  return "";
}

function withSubchannel(subchannel: object): typeof grpcJs {
  return changed(({ internalChannel }) => {
    Object.assign(internalChannel ?? {}, { subchannelPool: { getOrCreateSubchannel: () => subchannel } });
  });
}

const MISSING: Readonly<Record<string, typeof grpcJs>> = {
  "no Channel is exported": { ...grpcJs, Channel: undefined as unknown as typeof grpcJs.Channel },
  "Channel.internalChannel is no object": changed((channel) => {
    Object.assign(channel, { internalChannel: undefined });
  }),
  "internalChannel.subchannelPool is no object": changed(({ internalChannel }) => {
    Object.assign(internalChannel ?? {}, { subchannelPool: null });
  }),
  "subchannel.resetBackoff is no function": withSubchannel({}),
  "subchannel.connector is no object": withSubchannel({ resetBackoff() {} }),
  "connector.createSession is no function": withSubchannel({ resetBackoff() {}, connector: { connect() {}, shutdown() {} } }),
};

test("takes grpc-js as it is installed", () => {
  expect(refusal(grpcJs)).toBe("");
});

for (const [missing, module] of Object.entries(MISSING)) {
  test(`refuses one in which ${missing}, with its version and those that are supported`, () => {
    const words = refusal(module);
    expect(words).toContain(missing);
    expect(words).toMatch(/@grpc\/grpc-js 1\.\d+\.\d+ is not made as this version of @heddle\/grpc needs it/);
    expect(words).toContain("Install one of ^1.14.0");
  });
}
