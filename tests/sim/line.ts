/**
 * A simulated line to one seed: flows of TCP-like rate over a bottleneck, with a round trip. A flow
 * begins with ten segments a round trip, doubles that while nothing is lost, and then carries what
 * loss allows (Mathis et al., 1997); all flows together carry at most the rate of the line.
 */
import { Timeline } from "./timeline.ts";

export interface LinePlan {
  readonly roundTripMs: number;
  /** Bytes a second of all flows together. */
  readonly rate: number;
  /** Packets that are lost, 0 to 1. */
  readonly loss: number;
  /** Further connections are rejected with BUSY. */
  readonly maxConnections?: number;
}

/** Payload of a packet on Ethernet. */
const SEGMENT_BYTES = 1448;
const INITIAL_SEGMENTS = 10;
const MATHIS = 1.22;
/** Congestion control may vary by this share around its mean, up and down. */
const VARIATION = 0.3;

/** Bytes a second that loss allows one flow. */
export function flowLimit({ roundTripMs, loss }: LinePlan): number {
  return loss === 0 ? Infinity : MATHIS * SEGMENT_BYTES / (roundTripMs / 1000 * Math.sqrt(loss));
}

/** Bytes a second that `count` flows carry together once they are fast. */
export function lineCapacity(plan: LinePlan, count: number): number {
  return Math.min(plan.rate, count * flowLimit(plan));
}

/** One connection: what is requested over it arrives a round trip later, at the rate of the flow. */
export interface SimFlow {
  closed: boolean;
  /** Requested bytes that have not come; undefined: as many as the line carries. */
  pending: number | undefined;
  /** Bytes a round trip, by congestion control. */
  window: number;
}

export class SimLine {
  readonly plan: LinePlan;
  readonly timeline: Timeline;
  readonly flows = new Set<SimFlow>();
  readonly #random: () => number;

  constructor(plan: LinePlan, timeline: Timeline, random: () => number) {
    this.plan = plan;
    this.timeline = timeline;
    this.#random = random;
  }

  /** Connects and greets: two round trips. `onOpen` receives undefined if the seed is busy. */
  open(onOpen: (flow: SimFlow | undefined) => void): void {
    const { timeline, plan: { roundTripMs, maxConnections = Infinity } } = this;
    timeline.at(timeline.nowMs + 2 * roundTripMs, () => {
      if (this.flows.size >= maxConnections) return onOpen(undefined);
      const window = INITIAL_SEGMENTS * SEGMENT_BYTES;
      const flow: SimFlow = { closed: false, pending: undefined, window };
      this.flows.add(flow);
      onOpen(flow);
    });
  }

  close(flow: SimFlow): void {
    flow.closed = true;
    this.flows.delete(flow);
  }

  /** What each flow brings in the next `ms`, at most a round trip. */
  bring(ms: number, receive: (flow: SimFlow, bytes: number) => void): void {
    const { roundTripMs, rate } = this.plan;
    const most = flowLimit(this.plan) * roundTripMs / 1000;
    const wanted = Array.from(this.flows, (flow) => {
      const varied = most * (1 + VARIATION * (2 * this.#random() - 1));
      return { flow, bytes: Math.min(flow.window, varied) * ms / roundTripMs };
    });
    const sum = wanted.reduce((total, { bytes }) => total + bytes, 0);
    const share = Math.min(1, rate * ms / 1000 / sum);
    for (const { flow, bytes } of wanted) {
      const count = Math.floor(Math.min(bytes * share, flow.pending ?? Infinity));
      if (flow.pending !== undefined) flow.pending -= count;
      // Doubled in a round trip while the line has room.
      if (share === 1) flow.window = Math.min(flow.window * 2 ** (ms / roundTripMs), 2 ** 28);
      if (count > 0) receive(flow, count);
    }
  }
}
