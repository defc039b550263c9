/** Prints what `p2p sync` does. */
import { printable, type SyncPlan, type TaskOutcome } from "../../core/mod.ts";
import { formatBytes, plural } from "./units.ts";

/** What would happen. @param deletes how many files would be deleted. @param wanted whether --delete was given. */
export function renderPlan(plan: SyncPlan, deletes: number, wanted: boolean): string[] {
  const { requests, bytes, unchanged } = plan;
  const parts = [
    `would compare or get ${plural(requests.length, "file")} (at most ${formatBytes(bytes)})`,
    ...deletes > 0 ? [`delete ${deletes}`] : [],
  ];
  return [`${parts.join(" and ")}; ${unchanged} unchanged`, ...keptNotes(plan, wanted)];
}

/** What happened. */
export function renderSync(
  plan: SyncPlan,
  outcomes: readonly TaskOutcome[],
  { deleted, wanted }: { readonly deleted: readonly string[]; readonly wanted: boolean },
): string[] {
  const results = outcomes.flatMap(({ outcome }) => outcome.ok ? [outcome.result] : []);
  const fetched = results.filter(({ how }) => how === "downloaded");
  const bytes = fetched
    .flatMap(({ bytesBySeed }) => Object.values(bytesBySeed))
    .reduce((sum, count) => sum + count, 0);
  const unchanged = plan.unchanged + results.length - fetched.length;
  const failed = outcomes.length - results.length;
  const parts = [
    `${plural(fetched.length, "file")} updated (${formatBytes(bytes)} fetched)`,
    `${unchanged} unchanged`,
    ...failed > 0 ? [`${failed} failed`] : [],
    ...deleted.length > 0 ? [`${deleted.length} deleted`] : [],
  ];
  return [parts.join(", "), ...deleted.length > 0 ? [] : keptNotes(plan, wanted)];
}

/** Why files that are gone from the seeds are still here. */
function keptNotes({ gone, silent }: SyncPlan, wanted: boolean): string[] {
  if (gone.length === 0) return [];
  const files = gone.length === 1 ? "1 file is" : `${gone.length} files are`;
  if (!wanted) return [`note: ${files} no longer on the seeds; --delete removes such files`];
  if (silent.length === 0) return [];
  return [
    printable(`note: nothing is deleted, because ${silent.join(", ")} did not answer`),
  ];
}
