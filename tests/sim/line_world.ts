/** A seed at the end of a line, and the decision on connections to it: requests always wait. */
import { type ConnectionCommand, ConnectionCount } from "../../core/source/connection_count.ts";
import { diceOf } from "./dice.ts";
import { type LinePlan, SimLine } from "./line.ts";
import { Timeline } from "./timeline.ts";

export interface LineWorldEnd {
  /** Bytes in all. */
  readonly bytes: number;
  /** Open connections in the end, and the most at any instant, also opening ones. */
  readonly connections: number;
  readonly most: number;
  /** Trials in all: how often connections were opened after the first. */
  readonly opened: number;
  readonly closed: number;
}

export interface LineWorldPlan extends LinePlan {
  readonly forMs: number;
  readonly max?: number;
  readonly adapts?: boolean;
  /** The line changes then. */
  readonly changes?: { readonly atMs: number; readonly to: LinePlan };
  readonly dice?: number;
}

/** Steps of the simulation in a round trip. */
const STEPS = 8;
const BUSY_MS = 1000;

export function runLine(plan: LineWorldPlan): LineWorldEnd {
  const timeline = new Timeline();
  const random = diceOf(plan.dice ?? 1);
  const { max = 16, adapts = true } = plan;
  const count = new ConnectionCount({ max, adapts });
  let line = new SimLine(plan, timeline, random);
  let bytes = 0;
  let most = 0;
  let opened = 0;
  let closed = 0;
  const perform = (commands: readonly ConnectionCommand[]) => {
    most = Math.max(most, count.total);
    for (const { kind } of commands) {
      if (kind === "open") open();
      else {
        const [flow] = line.flows;
        line.close(flow!);
        closed++;
        perform(count.handle({ kind: "closed", commanded: true }, timeline.nowMs));
      }
    }
  };
  const open = () => {
    opened++;
    line.open((flow) => {
      const { nowMs } = timeline;
      if (flow === undefined) {
        return perform(count.handle({ kind: "refused", pauseMs: BUSY_MS }, nowMs));
      }
      perform(count.handle({ kind: "roundTrip", ms: line.plan.roundTripMs }, nowMs));
      perform(count.handle({ kind: "opened" }, nowMs));
    });
  };
  perform(count.handle({ kind: "opening" }, 0));
  open();
  const stepMs = plan.roundTripMs / STEPS;
  const step = () => {
    const { nowMs } = timeline;
    if (plan.changes && nowMs >= plan.changes.atMs && line.plan !== plan.changes.to) {
      const { flows } = line;
      line = new SimLine(plan.changes.to, timeline, random);
      for (const flow of flows) line.flows.add(flow);
    }
    line.bring(stepMs, (_, received) => {
      bytes += received;
      perform(count.handle({ kind: "received", bytes: received }, nowMs));
    });
    if (line.flows.size > 0) perform(count.handle({ kind: "waiting" }, nowMs));
    timeline.at(nowMs + stepMs, step);
  };
  step();
  while (timeline.step(plan.forMs));
  return { bytes, connections: line.flows.size, most, opened, closed };
}
