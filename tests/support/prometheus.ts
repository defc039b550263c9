/** A strict reader of Prometheus's exposition format 0.0.4, for what we write of it. */

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?[0-9.]+(?:e[+-]?[0-9]+)?|[+-]Inf|NaN)$/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/;

/** All samples. @throws where the format's rules are broken. */
export function readMetrics(text: string): Sample[] {
  if (!text.endsWith("\n")) throw new Error("The last line has no end");
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  let metric = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const [, what, name = "", rest = ""] = line.match(/^# (HELP|TYPE) (\S+) (.+)$/) ?? [];
    if (what === "HELP") {
      if (!NAME.test(name) || types.has(name)) throw new Error(`A second metric: ${line}`);
      metric = name;
    } else if (what === "TYPE") {
      const known = ["counter", "gauge", "histogram"].includes(rest);
      if (name !== metric || types.has(name) || !known) throw new Error(`A wrong type: ${line}`);
      types.set(name, rest);
    } else samples.push(sampleIn(line, metric, types.get(metric)));
  }
  requireUnique(samples);
  for (const [name, type] of types) if (type === "histogram") requireHistogram(name, samples);
  return samples;
}

function sampleIn(line: string, metric: string, type: string | undefined): Sample {
  const [, name, labels = "", value] = line.match(SAMPLE) ?? [];
  if (name === undefined || value === undefined) throw new Error(`No sample: ${line}`);
  const suffix = type === "histogram" ? /^_(?:bucket|sum|count)$/ : /^$/;
  if (!name.startsWith(metric) || !suffix.test(name.slice(metric.length))) {
    throw new Error(`A sample of another metric: ${line}`);
  }
  if (type === "counter" && !(name.endsWith("_total") && Number(value) >= 0)) {
    throw new Error(`No counter: ${line}`);
  }
  return { name, labels: labelsIn(labels), value: Number(value.replace("Inf", "Infinity")) };
}

function labelsIn(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== "";) {
    const [whole, name, value] = rest.match(LABEL) ?? [];
    if (whole === undefined || name! in labels) throw new Error(`Wrong labels: ${text}`);
    labels[name!] = value!.replace(/\\(.)/g, (_, escaped) => escaped === "n" ? "\n" : escaped);
    rest = rest.slice(whole.length);
  }
  return labels;
}

function requireUnique(samples: readonly Sample[]): void {
  const keys = samples.map(({ name, labels }) =>
    name + JSON.stringify(Object.entries(labels).sort())
  );
  if (new Set(keys).size < keys.length) throw new Error("A sample comes twice");
}

/** Buckets never fall, end with `+Inf`, and the last one is the count. */
function requireHistogram(name: string, samples: readonly Sample[]): void {
  const without = ({ labels: { le: _, ...rest } }: Sample) => JSON.stringify(rest);
  const counts = samples.filter((sample) => sample.name === `${name}_count`);
  for (const count of counts) {
    const own = samples.filter((sample) => without(sample) === without(count));
    const buckets = own.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => Number(labels["le"]?.replace("Inf", "Infinity")));
    const grows = (numbers: number[]) => numbers.every((n, i) => i === 0 || n >= numbers[i - 1]!);
    const values = buckets.map(({ value }) => value);
    const whole = bounds.at(-1) === Infinity && values.at(-1) === count.value;
    const summed = own.some((sample) => sample.name === `${name}_sum`);
    if (!grows(bounds) || !grows(values) || !whole || !summed) {
      throw new Error(`No histogram: ${name} ${without(count)}`);
    }
  }
}
