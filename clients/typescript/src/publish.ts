import { EventEmitter, once } from "node:events";
import { setTimeout } from "node:timers/promises";

import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";

import type {
  CancelNotice,
  EventAck,
  EventService,
  EventStreamOpened,
  PublishEventsRequestSchema,
  PublishEventsResponse,
} from "../gen/stardag/v1/event_service_pb.js";
import { firstBatch } from "./batch.ts";
import { retryDelayMs, text } from "./errors.ts";
import { CLIENT_NAME } from "./events.ts";
import type { Outbox } from "./outbox.ts";

type Request = MessageInitShape<typeof PublishEventsRequestSchema>;

/** Publishes the events of one stream. */
export class Producer {
  readonly #client: Client<typeof EventService>;
  readonly #streamId: string;
  readonly #outbox: Outbox;
  readonly #cancelled: (notice: CancelNotice) => void;

  /** Calls `cancelled` when somebody asks a build of the stream to stop, perhaps repeatedly. */
  constructor(
    client: Client<typeof EventService>,
    streamId: string,
    outbox: Outbox,
    cancelled: (notice: CancelNotice) => void,
  ) {
    this.#client = client;
    this.#streamId = streamId;
    this.#outbox = outbox;
    this.#cancelled = cancelled;
  }

  /**
   * Delivers the events of the outbox until that is closed, and returns how many are committed. What
   * the server has already is not sent again. After a failure that is worth it, the stream is opened
   * anew, and goes on after what was committed.
   */
  async publish(signal: AbortSignal): Promise<number> {
    for (;;) {
      try {
        return await this.#connect(signal);
      } catch (error) {
        const delay = retryDelayMs(error);
        if (delay === undefined) throw error;
        console.error("the stream broke, and is opened anew:", text(error));
        await setTimeout(delay, undefined, { signal });
      }
    }
  }

  /** Delivers over one connection. Its requests follow from what was received, and end with it. */
  async #connect(signal: AbortSignal): Promise<number> {
    const ended = new AbortController();
    const connection = new StreamConnection(this.#streamId);
    const requests = connection.requests(this.#outbox, ended.signal);
    try {
      for await (const response of this.#client.publishEvents(requests, { signal })) {
        const { message } = response;
        if (message.case === "cancel") this.#cancelled(message.value);
        connection.take(response);
      }
      return connection.committed;
    } finally {
      ended.abort();
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

  /**
   * Yields the messages for those events that are not committed, and for those that come, until the
   * outbox is closed; a heartbeat where none come, by which the server knows that the producer lives.
   */
  async *requests(outbox: Outbox, ended: AbortSignal): AsyncGenerator<Request> {
    const opening = once(this.#received, "opened", { signal: ended });
    yield { open: { streamId: this.#streamId, client: CLIENT_NAME } };
    const [limits] = (await opening) as [EventStreamOpened];
    let sent = this.committed;
    for (;;) {
      const waiting = outbox.after(sent);
      if (waiting.length > 0) {
        const events = firstBatch(waiting, limits);
        while (sent + events.length > this.committed + limits.maxUnackedEvents) {
          await once(this.#received, "ack", { signal: ended });
        }
        yield { firstSequence: BigInt(sent + 1), events };
        sent += events.length;
      } else if (outbox.closed) {
        return;
      } else if (!(await hasChanged(outbox, limits, ended))) {
        yield {};
      }
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

/** Waits for the outbox, and returns false if a heartbeat is due first. */
async function hasChanged(
  outbox: Outbox,
  { heartbeatInterval }: EventStreamOpened,
  ended: AbortSignal,
): Promise<boolean> {
  const due = AbortSignal.timeout(heartbeatInterval ? durationMs(heartbeatInterval) / 2 : 5000);
  const change = once(outbox, "changed", { signal: AbortSignal.any([due, ended]) });
  return await change.then(
    () => true,
    () => {
      ended.throwIfAborted();
      return false;
    },
  );
}

function report(ack: EventAck): void {
  for (const { sequence, message } of ack.rejections) {
    console.error(`event ${sequence} is stored as rejected: ${message}`);
  }
}
