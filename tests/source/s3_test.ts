import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../core/base/errors.ts";
import { type S3Account, s3Account, s3Store } from "../../core/source/s3.ts";
import { ManualClock, YEAR_2033 } from "../support/manual_clock.ts";

const FILES: Readonly<Record<string, string>> = {
  "/home/me/.aws/credentials": "[default]\naws_access_key_id = AK1\naws_secret_access_key=S1\n" +
    "# a comment\n[work]\naws_access_key_id=AK2\naws_secret_access_key = S=2\naws_session_token=T2\n",
  "/home/me/.aws/config":
    "[default]\r\nregion = eu-west-1\r\n[profile work]\r\nregion = us-west-2\r\n" +
    "endpoint_url = https://store.example\r\n",
};

function account(env: Readonly<Record<string, string>>): Promise<S3Account> {
  return s3Account({
    env: (name) => env[name],
    readTextFile: (path) => Promise.resolve(FILES[path.replaceAll("\\", "/")]),
  });
}

const HOME = { HOME: "/home/me" };
const keys = (accessKeyId: string, secretAccessKey: string, sessionToken?: string) => ({
  accessKeyId,
  secretAccessKey,
  sessionToken,
});
const cases: readonly (readonly [string, Record<string, string>, S3Account])[] = [
  ["nothing", {}, { region: "us-east-1", endpoint: undefined, keys: undefined }],
  ["variables", {
    AWS_ACCESS_KEY_ID: "A",
    AWS_SECRET_ACCESS_KEY: "B",
    AWS_SESSION_TOKEN: "C",
    AWS_REGION: "r",
    AWS_ENDPOINT_URL: "http://e",
  }, { region: "r", endpoint: "http://e", keys: keys("A", "B", "C") }],
  ["the default profile", HOME, {
    region: "eu-west-1",
    endpoint: undefined,
    keys: keys("AK1", "S1"),
  }],
  ["another profile", { ...HOME, AWS_PROFILE: "work" }, {
    region: "us-west-2",
    endpoint: "https://store.example",
    keys: keys("AK2", "S=2", "T2"),
  }],
  ["variables before a profile, not mixed with its token", {
    ...HOME,
    AWS_PROFILE: "work",
    AWS_ACCESS_KEY_ID: "A",
    AWS_SECRET_ACCESS_KEY: "B",
    AWS_DEFAULT_REGION: "d",
  }, { region: "d", endpoint: "https://store.example", keys: keys("A", "B") }],
  ["a key without its secret", { AWS_ACCESS_KEY_ID: "A" }, {
    region: "us-east-1",
    endpoint: undefined,
    keys: undefined,
  }],
];
for (const [name, env, expected] of cases) {
  Deno.test(`s3Account() reads ${name}`, async () => {
    assertEquals(await account(env), expected);
  });
}

const ANONYMOUS: S3Account = { region: "eu-west-1", endpoint: undefined, keys: undefined };
const clock = new ManualClock(YEAR_2033);
const addresses = [
  ["s3://bucket/a%20b/", ANONYMOUS, "https://bucket.s3.eu-west-1.amazonaws.com/a%20b/"],
  ["s3://my.bucket/a", ANONYMOUS, "https://s3.eu-west-1.amazonaws.com/my.bucket/a"],
  ["s3://bucket/a", { ...ANONYMOUS, endpoint: "http://h:9000/x/" }, "http://h:9000/x/bucket/a"],
] as const;
for (const [url, account, base] of addresses) {
  Deno.test(`s3Store() finds ${url} at ${base}`, () => {
    const store = s3Store({ url }, account, clock);
    assertEquals([store.base.href, store.sign], [base, undefined]);
  });
}

Deno.test("s3Store() rejects an endpoint that is no URL", () => {
  assertThrows(
    () => s3Store({ url: "s3://b/" }, { ...ANONYMOUS, endpoint: "h:9" }, clock),
    UsageError,
  );
});

Deno.test("s3Store() signs requests for the time that the clock tells, without the range", async () => {
  const account = { ...ANONYMOUS, keys: keys("AK", "secret", "token") };
  const { sign, base } = s3Store({ url: "s3://bucket/a" }, account, clock);
  const headers = await sign!(base, { range: "bytes=0-0" });
  assertEquals(headers["x-amz-date"], "20330518T033320Z");
  assertEquals(headers["x-amz-security-token"], "token");
  assertEquals(headers["range"], "bytes=0-0");
  assertEquals(
    headers["authorization"]?.replace(/Signature=.*/, ""),
    "AWS4-HMAC-SHA256 Credential=AK/20330518/eu-west-1/s3/aws4_request, " +
      "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token, ",
  );
  assertEquals(
    (await sign!(base, { range: "bytes=0-0" }))["authorization"],
    headers["authorization"],
  );
});

Deno.test("s3Store() lists all pages below its prefix", async () => {
  const store = s3Store({ url: "s3://bucket/pre%20fix/" }, ANONYMOUS, clock);
  const asked: (string | null)[] = [];
  const entry = (key: string) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`;
  const files = await store.list((url) => {
    asked.push(url.searchParams.get("continuation-token"));
    assertEquals([url.pathname, url.searchParams.get("prefix")], ["/", "pre fix/"]);
    const isFirst = asked.length === 1;
    const entries = isFirst
      ? ["pre fix/", "pre fix/b"]
      : ["pre fix/a/c", "elsewhere/x", "pre fix/../y"];
    const next = isFirst ? "<NextContinuationToken>2</NextContinuationToken>" : "";
    return Promise.resolve(
      `<ListBucketResult>${entries.map(entry).join("")}${next}</ListBucketResult>`,
    );
  });
  assertEquals(files.map(({ name }) => name), ["a/c", "b"]);
  assertEquals(asked, [null, "2"]);
});
