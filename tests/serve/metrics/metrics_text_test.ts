import { assertEquals } from "@std/assert";
import { renderMetrics } from "../../../core/serve/metrics/metrics_text.ts";
import { test } from "../support.ts";

test("renderMetrics() writes help, type and samples of each metric, with all that needs it escaped", () => {
  const text = renderMetrics([
    {
      name: "a_total",
      help: 'Back\\slash, "quote"\nline.',
      type: "counter",
      samples: [{ value: 3 }],
    },
    {
      name: "b",
      help: "B.",
      type: "gauge",
      samples: [
        { labels: { x: 'q"u\\o\nte', y: "2" }, value: 0.5 },
        { labels: { x: "ä" }, value: -Infinity },
        { value: NaN },
      ],
    },
    { name: "empty_total", help: "Nothing yet.", type: "counter", samples: [] },
  ]);
  assertEquals(
    text,
    String.raw`# HELP a_total Back\\slash, "quote"\nline.
# TYPE a_total counter
a_total 3
# HELP b B.
# TYPE b gauge
b{x="q\"u\\o\nte",y="2"} 0.5
b{x="ä"} -Inf
b NaN
# HELP empty_total Nothing yet.
# TYPE empty_total counter
`,
  );
});

test("renderMetrics() sums up the buckets of a histogram", () => {
  const text = renderMetrics([{
    name: "h_seconds",
    help: "H.",
    type: "histogram",
    bounds: [0.001, 1],
    samples: [{ labels: { kind: "k" }, buckets: [2, 0, 1], sum: 7.5 }],
  }]);
  assertEquals(
    text,
    `# HELP h_seconds H.
# TYPE h_seconds histogram
h_seconds_bucket{kind="k",le="0.001"} 2
h_seconds_bucket{kind="k",le="1"} 2
h_seconds_bucket{kind="k",le="+Inf"} 3
h_seconds_sum{kind="k"} 7.5
h_seconds_count{kind="k"} 3
`,
  );
});
