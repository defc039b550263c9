import { assertEquals } from "@std/assert";
import { Counter, gauge, Histogram, renderMetrics } from "../../../core/serve/metrics/metrics.ts";
import { test } from "../../support/test.ts";

test("renderMetrics() writes help, type and samples of each metric, and escapes them", () => {
  const counter = new Counter("a_total", 'Back\\slash, "quote"\nline.');
  counter.add(1);
  counter.add(2);
  const labeled = new Counter("b_total", "B.", ["x", "y"]);
  labeled.add(1, 'q"u\\o\nte', "2");
  labeled.add(5, "ä", "2");
  labeled.add(0.5, 'q"u\\o\nte', "2");
  const text = renderMetrics([
    counter,
    labeled,
    new Counter("empty_total", "Nothing yet.", ["x"]),
    new Counter("zero_total", "Zero."),
    gauge("c", "C.", [{ labels: { z: "1" }, value: -Infinity }, { value: NaN }]),
    gauge("d", "D.", 7),
  ]);
  assertEquals(
    text,
    String.raw`# HELP a_total Back\\slash, "quote"\nline.
# TYPE a_total counter
a_total 3
# HELP b_total B.
# TYPE b_total counter
b_total{x="q\"u\\o\nte",y="2"} 1.5
b_total{x="ä",y="2"} 5
# HELP empty_total Nothing yet.
# TYPE empty_total counter
# HELP zero_total Zero.
# TYPE zero_total counter
zero_total 0
# HELP c C.
# TYPE c gauge
c{z="1"} -Inf
c NaN
# HELP d D.
# TYPE d gauge
d 7
`,
  );
});

test("renderMetrics() adds up the buckets of a histogram, whose upper bounds are inclusive", () => {
  const histogram = new Histogram("h_seconds", "H.", [0.001, 1], ["kind"]);
  for (const seconds of [0, 0.001, 7.5]) histogram.observe(seconds, "k");
  assertEquals(
    renderMetrics([histogram]),
    `# HELP h_seconds H.
# TYPE h_seconds histogram
h_seconds_bucket{kind="k",le="0.001"} 2
h_seconds_bucket{kind="k",le="1"} 2
h_seconds_bucket{kind="k",le="+Inf"} 3
h_seconds_sum{kind="k"} 7.501
h_seconds_count{kind="k"} 3
`,
  );
});
