import { EventEmitter } from "node:events";

import type { NewEvent } from "../gen/stardag/v1/event_pb.js";

/**
 * The events of a stream, numbered from 1, as they happen; it emits `changed` when there is another,
 * or no more come. It keeps them all, in memory, so that any may be sent again; a producer whose
 * events are to survive it keeps them on disk.
 */
export class Outbox extends EventEmitter<{ changed: [] }> {
  readonly #events: NewEvent[] = [];
  #closed = false;

  add(event: NewEvent): void {
    this.#events.push(event);
    this.emit("changed");
  }

  /** Says that no more events come. */
  close(): void {
    this.#closed = true;
    this.emit("changed");
  }

  /** Whether no more events come than those there are. */
  get closed(): boolean {
    return this.#closed;
  }

  after(number: number): NewEvent[] {
    return this.#events.slice(number);
  }
}
