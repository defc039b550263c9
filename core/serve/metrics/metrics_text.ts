/**
 * The text in which Prometheus reads metrics, its exposition format 0.0.4.
 * Knows nothing of what is measured.
 */

export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** One metric: all its samples together, each with other labels. */
export type Metric = Named & (Plain | Histogram);

interface Named {
  readonly name: string;
  readonly help: string;
}

interface Plain {
  readonly type: "counter" | "gauge";
  readonly samples: readonly { readonly labels?: Labels; readonly value: number }[];
}

interface Histogram {
  readonly type: "histogram";
  /** Upper bounds of the buckets, growing; one more bucket is for all above. */
  readonly bounds: readonly number[];
  readonly samples: readonly {
    readonly labels?: Labels;
    /** How many fell into each bucket, not summed up. */
    readonly buckets: readonly number[];
    readonly sum: number;
  }[];
}

type Labels = Readonly<Record<string, string>>;

export function renderMetrics(metrics: readonly Metric[]): string {
  return metrics.map((metric) =>
    [
      `# HELP ${metric.name} ${escapeHelp(metric.help)}`,
      `# TYPE ${metric.name} ${metric.type}`,
      ...metric.type === "histogram" ? bucketLines(metric) : plainLines(metric),
    ].join("\n") + "\n"
  ).join("");
}

function plainLines({ name, samples }: Named & Plain): string[] {
  return samples.map(({ labels, value }) => sampleLine(name, labels, value));
}

function bucketLines({ name, bounds, samples }: Named & Histogram): string[] {
  return samples.flatMap(({ labels, buckets, sum }) => {
    let count = 0;
    const lines = buckets.map((inBucket, i) => {
      count += inBucket;
      return sampleLine(
        `${name}_bucket`,
        { ...labels, le: numberText(bounds[i] ?? Infinity) },
        count,
      );
    });
    lines.push(sampleLine(`${name}_sum`, labels, sum), sampleLine(`${name}_count`, labels, count));
    return lines;
  });
}

function sampleLine(name: string, labels: Labels = {}, value: number): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${numberText(value)}`;
}

function numberText(value: number): string {
  return Number.isFinite(value) ? String(value) : value > 0 ? "+Inf" : value < 0 ? "-Inf" : "NaN";
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
