/** Counters, gauges and histograms, and the text in which Prometheus reads them: its exposition format 0.0.4. */

export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly samples: Iterable<Sample>;
}

export interface Sample {
  readonly value: number;
  readonly labels?: Labels;
  /** Added to the metric's name. */
  readonly suffix?: string;
}

type Labels = Readonly<Record<string, string>>;

/** One value for each combination of label values. */
class LabeledMetric<T> {
  protected readonly values = new Map<string, { readonly labels: Labels; value: T }>();

  constructor(
    readonly name: string,
    readonly help: string,
    readonly labelNames: readonly string[],
  ) {}

  protected entry(labelValues: readonly string[], initial: () => T) {
    const key = labelValues.join("\0");
    const found = this.values.get(key);
    if (found) return found;
    const labels = Object.fromEntries(this.labelNames.map((name, i) => [name, labelValues[i]!]));
    const entry = { labels, value: initial() };
    this.values.set(key, entry);
    return entry;
  }
}

export class Counter extends LabeledMetric<number> implements Metric {
  readonly type = "counter";
  readonly #maxSamples: number;

  /** @param maxSamples further label values are counted as "other". */
  constructor(name: string, help: string, labelNames: string[] = [], maxSamples = Infinity) {
    super(name, help, labelNames);
    this.#maxSamples = maxSamples;
    if (labelNames.length === 0) this.add(0);
  }

  /** @param labelValues one for each label name. */
  add(count: number, ...labelValues: string[]): void {
    const isFull = this.values.size >= this.#maxSamples;
    const isOther = isFull && !this.values.has(labelValues.join("\0"));
    this.entry(isOther ? labelValues.map(() => "other") : labelValues, () => 0).value += count;
  }

  get samples(): Sample[] {
    return Array.from(this.values.values());
  }
}

export class Histogram extends LabeledMetric<{ buckets: number[]; sum: number }> implements Metric {
  readonly type = "histogram";

  /** @param bounds upper bounds of the buckets, ascending; one more bucket is for all values above. */
  constructor(
    name: string,
    help: string,
    readonly bounds: readonly number[],
    labelNames: readonly string[],
  ) {
    super(name, help, labelNames);
  }

  observe(value: number, ...labelValues: string[]): void {
    const initial = () => ({ buckets: Array<number>(this.bounds.length + 1).fill(0), sum: 0 });
    const histogram = this.entry(labelValues, initial).value;
    const bucket = this.bounds.findIndex((bound) => value <= bound);
    histogram.buckets[bucket < 0 ? this.bounds.length : bucket]!++;
    histogram.sum += value;
  }

  get samples(): Sample[] {
    return Array.from(this.values.values()).flatMap(({ labels, value: { buckets, sum } }) => {
      let count = 0;
      const lines: Sample[] = buckets.map((inBucket, i) => {
        count += inBucket;
        const le = numberText(this.bounds[i] ?? Infinity);
        return { suffix: "_bucket", labels: { ...labels, le }, value: count };
      });
      lines.push({ suffix: "_sum", labels, value: sum }, {
        suffix: "_count",
        labels,
        value: count,
      });
      return lines;
    });
  }
}

export function gauge(name: string, help: string, samples: number | readonly Sample[]): Metric {
  return {
    name,
    help,
    type: "gauge",
    samples: typeof samples === "number" ? [{ value: samples }] : samples,
  };
}

export function renderMetrics(metrics: readonly Metric[]): string {
  return metrics.map(({ name, help, type, samples }) =>
    [
      `# HELP ${name} ${escapeHelp(help)}`,
      `# TYPE ${name} ${type}`,
      ...Array.from(samples, (sample) => sampleLine(name, sample)),
    ].join("\n") + "\n"
  ).join("");
}

function sampleLine(name: string, { suffix = "", labels = {}, value }: Sample): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
  return `${name}${suffix}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${numberText(value)}`;
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
