/* SPDX-License-Identifier: GPL-2.0-or-later */
/* what registries say: challenges, ranges, links, errors; manifests and platforms; where names
 * lead; what clients give to be known */

#include "base/json.h"
#include "base/str.h"
#include "image/registry_auth.h"
#include "image/registry_endpoint.h"
#include "image/registry_manifest.h"
#include "image/registry_parse.h"
#include "tap.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define D   "sha256:" HEX

/* ---- challenges ---- */

static const struct {
	const char *header;
	enum challenge_kind kind;
	const char *realm, *service, *scope, *error;
} challenges[] = {
	{"Basic realm=\"here\"", CHALLENGE_BASIC, "here", NULL, NULL, NULL},
	{"bEARER realm=\"https://a/t\",service=\"s, 1\",scope=\"repository:x:pull,push\"",
	 CHALLENGE_BEARER, "https://a/t", "s, 1", "repository:x:pull,push", NULL},
	{"Bearer realm = \"a\\\"b\" , error=insufficient_scope", CHALLENGE_BEARER, "a\"b", NULL,
	 NULL, "insufficient_scope"},
	{"Negotiate abc==, Basic realm=x, Bearer realm=y", CHALLENGE_BEARER, "y", NULL, NULL, NULL},
	{"Basic realm=x, Basic realm=y", CHALLENGE_BASIC, "x", NULL, NULL, NULL},
	{"Bearer realm=\"open", CHALLENGE_NONE, NULL, NULL, NULL, NULL},
	{"Bearer", CHALLENGE_BEARER, NULL, NULL, NULL, NULL},
	{"Digest realm=\"x\"", CHALLENGE_NONE, NULL, NULL, NULL, NULL},
	{", ,", CHALLENGE_NONE, NULL, NULL, NULL, NULL},
	{"", CHALLENGE_NONE, NULL, NULL, NULL, NULL},
};

static void test_challenges(void)
{
	struct challenge two = {0};

	for (size_t i = 0; i < ARRAY_SIZE(challenges); i++) {
		struct challenge c = {0};

		is_int(challenge_parse(challenges[i].header, &c), 0, "%s", challenges[i].header);
		is_int(c.kind, challenges[i].kind, "its kind");
		is_str(c.realm, challenges[i].realm, "its realm");
		is_str(c.service, challenges[i].service, "its service");
		is_str(c.scope, challenges[i].scope, "its scope");
		is_str(c.error, challenges[i].error, "its error");
		challenge_done(&c);
	}
	ok(challenge_parse("Bearer realm=a", &two) == 0 &&
		   challenge_parse("Basic realm=b", &two) == 0,
	   "two headers");
	is_str(two.realm, "a", "Bearer counts more");
	challenge_done(&two);
}

static void test_headers(void)
{
	uint64_t first, last;
	int64_t total;
	static const char *const bad[] = {"",
					  "bytes",
					  "bytes 1-2",
					  "bytes 2-1/5",
					  "bytes 1-5/5",
					  "items 1-2/3",
					  "bytes a-2/3",
					  "bytes 1-2/3x",
					  "bytes 1-99999999999999999999999/*"};

	is_int(content_range_parse("bytes 100-199/200", &first, &last, &total), 0, "a range");
	ok(first == 100 && last == 199 && total == 200, "is right");
	is_int(content_range_parse("Bytes  0-0/*", &first, &last, &total), 0, "without a total");
	is_int(total, -1, "is told");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		is_int(content_range_parse(bad[i], &first, &last, &total), -EINVAL, "refused: %s",
		       bad[i]);
	ok(upload_range_parse("0-99", &last) == 0 && last == 99, "an upload's range");
	ok(upload_range_parse("bytes=0-9", &last) == 0 && last == 9, "with its unit");
	ok(upload_range_parse("1-9", &last) < 0 && upload_range_parse("0-", &last) < 0,
	   "broken ones");
	auto_free char *next = link_next("</v2/x/tags/list?last=b>; rel=\"next\"");
	auto_free char *second = link_next("</a>; rel=\"prev\", </b>; rel=\"next\"");

	is_str(next, "/v2/x/tags/list?last=b", "a link");
	is_str(second, "/b", "the one that is next");
	ok(!link_next("</a>; rel=\"prev\"") && !link_next("<") && !link_next(""), "none");
}

/* ---- errors ---- */

static const struct {
	unsigned status;
	const char *body, *challenge, *text, *code;
} errors[] = {
	{404, "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest unknown\"}]}", "",
	 "manifest unknown: manifest unknown", "MANIFEST_UNKNOWN"},
	{401, "{\"errors\":[]}", "Bearer realm=a,error=insufficient_scope",
	 "denied: requested access to the resource is denied", "DENIED"},
	{401, "{\"details\":\"incorrect username or password\"}", "",
	 "unauthorized: incorrect username or password", "UNAUTHORIZED"},
	{401, "no", "", "unauthorized: authentication required", "UNAUTHORIZED"},
	{429, "", "", "toomanyrequests: too many requests", "TOOMANYREQUESTS"},
	{500, "{\"errors\":[{\"code\":\"DENIED\"}]}", "",
	 "received unexpected HTTP status: 500 Internal Server Error", ""},
	{404, "<html>", "", "error parsing HTTP 404 response body: invalid JSON: \"<html>\"", ""},
	{404, "{}", "",
	 "error parsing HTTP 404 response body: no error details found in HTTP response body: "
	 "\"{}\"",
	 ""},
};

static void test_errors(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		auto_buf struct buf text = BUF_INIT(2048);
		char code[REGISTRY_CODE_SIZE];
		struct challenge c = {0};

		(void)challenge_parse(errors[i].challenge, &c);
		registry_error_text(errors[i].status, errors[i].body, strlen(errors[i].body), &c,
				    code, &text);
		is_str(buf_str(&text), errors[i].text, "%u %s", errors[i].status, errors[i].body);
		is_str(code, errors[i].code, "its code");
		challenge_done(&c);
	}
}

/* ---- manifests ---- */

static int parse(const char *text, const char *type, struct registry_manifest *m, struct err *e)
{
	return registry_manifest_parse(text, strlen(text), type, "docker.io/library/x:latest", m,
				       e);
}

static void test_manifests(void)
{
	static const char image[] =
		"{\"schemaVersion\":2,\"config\":{\"digest\":\"" D "\",\"size\":7},\"layers\":[{"
		"\"digest\":\"" D "\",\"size\":9,\"mediaType\":\"" TYPE_DOCKER_LAYER
		"\",\"urls\":[\"https://a/b\"]}]}";
	struct registry_manifest m = {0};
	struct err e = {0};

	is_int(parse(image, NULL, &m, &e), 0, "an image that does not say what it is");
	ok(!m.is_index && m.n == 1 && m.entries[0].size == 9, "has its layer");
	is_str(m.entries[0].urls[0], "https://a/b", "and where that is");
	is_str(m.media_type, TYPE_OCI_MANIFEST, "is taken for OCI's");
	registry_manifest_done(&m);
	is_int(parse(image, TYPE_DOCKER_MANIFEST "; charset=utf-8", &m, &e), 0,
	       "as its answer says");
	is_str(m.media_type, TYPE_DOCKER_MANIFEST, "is Docker's");
	registry_manifest_done(&m);
	int r = parse("{\"schemaVersion\":1,\"fsLayers\":[]}", TYPE_DOCKER_SCHEMA1, &m, &e);

	ok(r < 0 && strstr(e.msg, "schema 1 support is disabled") &&
		   strstr(e.msg, "docker.io/library/x:latest"),
	   "schema 1 is refused");
	r = parse("[]", NULL, &m, &e);
	is_err(r, e, ERR_INVALID, "invalid manifest: not an object");
	r = parse("{\"mediaType\":\"text/x\"}", NULL, &m, &e);
	is_err(r, e, ERR_INVALID,
	       "unsupported manifest media type and no default available: text/x");
	r = parse("{\"config\":{\"digest\":\"x\"},\"layers\":[]}", NULL, &m, &e);
	is_err(r, e, ERR_INVALID, "invalid digest x");
	r = parse("{\"config\":{\"digest\":\"" D
		  "\",\"mediaType\":\"application/vnd.docker.plugin.v1+json"
		  "\"},\"layers\":[]}",
		  NULL, &m, &e);
	is_err(r, e, ERR_INVALID,
	       "Encountered remote \"application/vnd.docker.plugin.v1+json\"(plugin) when "
	       "fetching");
	r = parse("{\"config\":{\"digest\":\"" D "\",\"size\":-1},\"layers\":[]}", NULL, &m, &e);
	ok(r < 0 && strstr(e.msg, "out of range"), "a size below zero is refused");
}

static void test_choice(void)
{
	static const char index[] =
		"{\"manifests\":["
		"{\"digest\":\"" D
		"\",\"size\":1,\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\","
		"\"variant\":\"v6\"}},"
		"{\"digest\":\"" D
		"\",\"size\":2,\"platform\":{\"os\":\"linux\",\"architecture\":\"arm\","
		"\"variant\":\"v7\"}},"
		"{\"digest\":\"" D "\",\"size\":3,\"platform\":{\"os\":\"linux\",\"architecture\":"
		"\"arm64\",\"variant\":\"v8\"}},"
		"{\"digest\":\"" D
		"\",\"size\":4,\"platform\":{\"os\":\"unknown\",\"architecture\":"
		"\"unknown\"}},"
		"{\"digest\":\"" D
		"\",\"size\":5,\"platform\":{\"os\":\"windows\",\"architecture\":"
		"\"amd64\"}}]}";
	static const struct {
		const char *want;
		int64_t size; /* 0: none */
	} cases[] = {{"linux/arm64", 3},  {"linux/arm64/v8", 3}, {"linux/arm/v7", 2},
		     {"linux/arm/v6", 1}, {"linux/arm/v5", 0},	 {"linux/arm", 2},
		     {"linux/amd64", 0},  {"windows/amd64", 5},	 {"linux/aarch64", 3}};
	struct registry_manifest m = {0};
	struct err e = {0};

	is_int(parse(index, TYPE_OCI_INDEX, &m, &e), 0, "an index");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct descriptor *d;
		struct platform p;

		is_int(platform_parse(cases[i].want, &p, &e), 0, "platform %s", cases[i].want);
		d = registry_manifest_choose(&m, &p, &e);
		is_int(d ? d->size : 0, cases[i].size, "its image");
	}
	is_str(e.msg, "no matching manifest for linux/amd64 in the manifest list entries",
	       "its error");
	registry_manifest_done(&m);
}

static void test_platforms(void)
{
	static const char *const bad[] = {"", "a/b/c/d", "linux/", "linux/a b", "nosuch"};
	struct platform p;
	struct err e = {0};
	char text[96];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ok(platform_parse(bad[i], &p, &e) < 0 && strstr(e.msg, "invalid argument"),
		   "refused: \"%s\"", bad[i]);
	is_int(platform_parse("LINUX/AArch64", &p, &e), 0, "in capitals");
	platform_text(&p, text);
	is_str(text, "linux/arm64/v8", "is arm64/v8");
	is_int(platform_parse("arm64", &p, &e), 0, "an architecture alone");
	is_str(p.arch, "arm64", "is that");
	is_int(platform_parse("linux/arm/7", &p, &e), 0, "a variant without its letter");
	is_str(p.variant, "v7", "gets it");
}

/* ---- endpoints ---- */

static size_t lookup(const char *host, struct ip *ret, size_t room)
{
	if (streq(host, "inside.example") && room && ip_parse("10.1.2.3", ret) >= 0)
		return 1;
	return streq(host, "localhost") && room && ip_parse("127.0.0.1", ret) >= 0 ? 1 : 0;
}

static void endpoints_are(const char *domain, const char *want)
{
	char cidr[] = "10.0.0.0/8", plain[] = "plain:5000", other[] = "http://other:1";
	char first[] = "https://m1.example/", second[] = "http://127.0.0.1:5000/x/";
	char *insecure[] = {cidr, plain, other, NULL};
	char *mirrors[] = {first, second, NULL};
	struct registry_endpoint *v = NULL;
	auto_buf struct buf b = BUF_INIT(4096);
	struct err e = {0};
	size_t n = 0;
	int r = registry_endpoints(domain, insecure, mirrors, lookup, &v, &n, &e);

	for (size_t i = 0; r >= 0 && i < n; i++)
		(void)buf_printf(&b, "%s%s%s%s", i ? " " : "", v[i].url,
				 v[i].mirror ? " mirror" : "", v[i].insecure ? " insecure" : "");
	is_str(buf_str(&b), want, "%s", domain);
	registry_endpoints_free(v, n);
}

static void test_endpoints(void)
{
	struct err e = {0};

	endpoints_are("docker.io",
		      "https://m1.example mirror http://127.0.0.1:5000/x mirror insecure "
		      "https://registry-1.docker.io");
	endpoints_are("reg.example", "https://reg.example");
	endpoints_are("reg.example:5000", "https://reg.example:5000");
	endpoints_are("127.0.0.1:5000",
		      "https://127.0.0.1:5000 insecure http://127.0.0.1:5000 insecure");
	endpoints_are("[::1]:5000", "https://[::1]:5000 insecure http://[::1]:5000 insecure");
	endpoints_are("localhost:1", "https://localhost:1 insecure http://localhost:1 insecure");
	endpoints_are("inside.example",
		      "https://inside.example insecure http://inside.example insecure");
	endpoints_are("plain:5000", "https://plain:5000 insecure http://plain:5000 insecure");
	endpoints_are("plain:5001", "https://plain:5001");
	endpoints_are("other:1", "https://other:1 insecure http://other:1 insecure");
	ok(registry_mirror_check("https://m/", &e) == 0 &&
		   registry_insecure_check("10.0.0.0/8", &e) == 0 &&
		   registry_insecure_check("a:5000", &e) == 0,
	   "good options");
	ok(registry_mirror_check("m", &e) < 0 && registry_mirror_check("ftp://m", &e) < 0 &&
		   registry_mirror_check("http://u:p@m", &e) < 0 &&
		   registry_mirror_check("http://m?x", &e) < 0 &&
		   registry_insecure_check("-a", &e) < 0 &&
		   registry_insecure_check("a/b", &e) < 0 && registry_insecure_check("", &e) < 0,
	   "bad options");
}

/* ---- who clients are ---- */

static void test_auth(void)
{
	static const char *const bad[] = {"!", "W10=", "e30", "bm8=", "eyJ1c2VybmFtZSI6MX0="};
	auto_buf struct buf basic = BUF_INIT(256);
	struct registry_auth a;
	struct err e = {0};

	ok(registry_auth_parse(NULL, &a, &e) == 0 && !a.user &&
		   registry_auth_parse("", &a, &e) == 0,
	   "no header");
	/* {"username":"u","password":"p:w","identitytoken":"i"} */
	is_int(registry_auth_parse(
		       "eyJ1c2VybmFtZSI6InUiLCJwYXNzd29yZCI6InA6dyIsImlkZW50aXR5dG9rZW4i"
		       "OiJpIn0",
		       &a, &e),
	       0, "a header");
	is_str(a.user, "u", "its user");
	is_str(a.password, "p:w", "its password");
	is_str(a.identity_token, "i", "its token");
	registry_auth_basic(&a, &basic);
	is_str(buf_str(&basic), "Basic dTpwOnc=", "as basic");
	registry_auth_done(&a);
	/* {"auth":"dTpw"} */
	is_int(registry_auth_parse("eyJhdXRoIjoiZFRwdyJ9", &a, &e), 0, "a pair");
	ok(streq(a.user, "u") && streq(a.password, "p"), "is taken apart");
	registry_auth_done(&a);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int r = registry_auth_parse(bad[i], &a, &e);

		ok(i == 2 ? r == 0 : r < 0, "%s", bad[i]);
		ok(!a.user && !a.password, "gives nobody");
	}
	/* a line break in a password would be a header of its own */
	auto_json json_t *j = json_pack("{s:s,s:s}", "username", "u", "password", "a\r\nb");

	ok(registry_auth_from_json(j, &a, &e) < 0 && !strstr(e.msg, "a\r"), "control characters");
}

int main(void)
{
	test_challenges();
	test_headers();
	test_errors();
	test_manifests();
	test_choice();
	test_platforms();
	test_endpoints();
	test_auth();
	return tap_done();
}
