import { EventEmitter, once } from "node:events";
import { setTimeout } from "node:timers/promises";

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";

import type { NewEvent } from "../gen/stardag/v1/event_pb.js";
import type {
  EventAck,
  EventService,
  EventStreamOpened,
  PublishEventsRequestSchema,
  PublishEventsResponse,
} from "../gen/stardag/v1/event_service_pb.js";
import { firstBatch } from "./batch.ts";
import { retryDelayMs } from "./errors.ts";
import { CLIENT_NAME } from "./events.ts";

type Request = MessageInitShape<typeof PublishEventsRequestSchema>;

/** Publishes the events of one stream, which are numbered from 1. */
export class Producer {
  readonly #client: Client<typeof EventService>;
  readonly #streamId: string;

  constructor(client: Client<typeof EventService>, streamId: string) {
    this.#client = client;
    this.#streamId = streamId;
  }

  /**
   * Delivers the events, and returns how many are committed. What the server has already is not
   * sent again. After a failure that is worth it, the stream is opened anew, and goes on after what
   * was committed.
   */
  async publish(events: NewEvent[], signal: AbortSignal): Promise<number> {
    for (;;) {
      const connection = new StreamConnection(this.#streamId);
      try {
        const requests = connection.requests(events);
        for await (const response of this.#client.publishEvents(requests, { signal })) {
          connection.take(response);
        }
        return connection.committed;
      } catch (error) {
        const delay = retryDelayMs(error);
        if (delay === undefined) throw error;
        await setTimeout(delay, undefined, { signal });
      }
    }
  }

  /** Sends events, and breaks the connection when `arrived` is fulfilled, whatever was acknowledged. */
  async sendAndBreak(
    events: NewEvent[],
    arrived: Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const breaking = new AbortController();
    const connection = new StreamConnection(this.#streamId);
    async function* requests() {
      yield* connection.requests(events);
      await arrived;
      breaking.abort();
    }
    const options = { signal: AbortSignal.any([breaking.signal, signal]) };
    try {
      for await (const response of this.#client.publishEvents(requests(), options)) {
        connection.take(response);
      }
    } catch (error) {
      if (!breaking.signal.aborted) throw error;
    }
  }
}

/** One connection of a stream: what is sent on it follows from what was received. */
class StreamConnection {
  /** Everything up to this number is durable, and visible to reads. */
  committed = 0;
  readonly #streamId: string;
  readonly #received = new EventEmitter<{ opened: [EventStreamOpened]; ack: [] }>();

  constructor(streamId: string) {
    this.#streamId = streamId;
  }

  /** Yields the messages for those of all the stream's events that are not committed. */
  async *requests(events: NewEvent[]): AsyncGenerator<Request> {
    const opening = once(this.#received, "opened");
    yield { open: { streamId: this.#streamId, client: CLIENT_NAME } };
    const [limits] = (await opening) as [EventStreamOpened];
    let sent = this.committed;
    while (sent < events.length) {
      const batch = firstBatch(events.slice(sent), limits);
      while (sent + batch.length > this.committed + limits.maxUnackedEvents) {
        await once(this.#received, "ack");
      }
      yield { firstSequence: BigInt(sent + 1), events: batch };
      sent += batch.length;
    }
  }

  /** Takes note of a response. Kinds that it does not know it ignores, as the contract asks. */
  take({ message }: PublishEventsResponse): void {
    switch (message.case) {
      case "opened":
        this.committed = Number(message.value.committedSequence);
        this.#received.emit("opened", message.value);
        break;
      case "ack":
        this.committed = Number(message.value.committedSequence);
        report(message.value);
        this.#received.emit("ack");
        break;
    }
  }
}

function report(ack: EventAck): void {
  for (const { sequence, message } of ack.rejections) {
    console.error(`event ${sequence} is stored as rejected: ${message}`);
  }
}
