/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_requests.c - request bodies, filters and the error table, without a server */

#include "api/internal.h"
#include "base/str.h"
#include "tap.h"

/* ---- NetworkCreateRequest ---- */

static void refused(void)
{
	static const struct {
		const char *body, *text;
		enum err_kind kind;
	} table[] = {
		{"{'Name':7}",
		 "json: cannot unmarshal number into Go struct field NetworkCreateRequest.Name of "
		 "type string",
		 ERR_INVALID},
		{"{'Name':'x','Internal':'yes'}",
		 "json: cannot unmarshal string into Go struct field NetworkCreateRequest.Internal "
		 "of type bool",
		 ERR_INVALID},
		{"{'Name':'x','Attachable':1}",
		 "json: cannot unmarshal number into Go struct field "
		 "NetworkCreateRequest.Attachable of type bool",
		 ERR_INVALID},
		{"{'Name':'x','CheckDuplicate':{}}",
		 "json: cannot unmarshal object into Go struct field "
		 "NetworkCreateRequest.CheckDuplicate of type bool",
		 ERR_INVALID},
		{"{'Name':'x','Labels':{'a':1}}",
		 "json: cannot unmarshal number into Go struct field NetworkCreateRequest.Labels "
		 "of "
		 "type string",
		 ERR_INVALID},
		{"{'Name':'x','Options':[]}",
		 "json: cannot unmarshal array into Go struct field NetworkCreateRequest.Options "
		 "of "
		 "type map[string]string",
		 ERR_INVALID},
		{"{'Name':'x','IPAM':[]}",
		 "json: cannot unmarshal array into Go struct field NetworkCreateRequest.IPAM of "
		 "type map[string]interface {}",
		 ERR_INVALID},
		{"{'Name':'x','IPAM':{'Config':[7]}}",
		 "json: cannot unmarshal number into Go struct field "
		 "NetworkCreateRequest.IPAM.Config of "
		 "type "
		 "network.IPAMConfig",
		 ERR_INVALID},
		{"{'Name':'x','IPAM':{'Config':[{'Subnet':'10.0.0.0/8'},{'Gateway':true}]}}",
		 "json: cannot unmarshal bool into Go struct field IPAMConfig.Gateway of type "
		 "string",
		 ERR_INVALID},
		{"{'Name':'x','IPAM':{'Config':[{'Subnet':'10.0.0.0/8','AuxiliaryAddresses':{'a':1}"
		 "}]}}",
		 "json: cannot unmarshal number into Go struct field IPAMConfig.AuxiliaryAddresses "
		 "of type string",
		 ERR_INVALID},
		{"{'Name':'x','Scope':'swarm'}",
		 "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm "
		 "join\" to connect this node to swarm and try again.",
		 ERR_UNAVAILABLE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		auto_free char *text = strdup(table[i].body);
		auto_json json_t *j = NULL;
		struct network_spec s;
		struct err e = {0};
		int r;

		for (char *p = text; *p; p++)
			*p = *p == '\'' ? '"' : *p;
		r = json_read(text, strlen(text), &j, &e);
		is_int(r, 0, "%s is JSON", table[i].body);
		r = network_create_parse(j, &s, &e);
		is_err(r, e, table[i].kind, table[i].text);
		if (r >= 0)
			network_spec_done(&s);
	}
}

static void taken(void)
{
	static const char body[] =
		"{\"name\":\"n\",\"Driver\":\"bridge\",\"CheckDuplicate\":true,\"Internal\":true,"
		"\"EnableIPv6\":true,\"EnableIPv4\":false,\"ConfigOnly\":true,\"Scope\":\"local\","
		"\"Labels\":{\"a\":\"b\"},\"Options\":{},"
		"\"ConfigFrom\":{\"Network\":\"base\"},\"IPAM\":{\"Driver\":\"default\",\"Config\":"
		"[null,{},"
		"{\"Subnet\":\"10.1.0.0/16\",\"IPRange\":\"\",\"AuxAddress\":1,"
		"\"AuxiliaryAddresses\":{\"p\":\"10.1.0.2\"}},{\"Gateway\":\"10.2.0.1\"}]}}";
	auto_json json_t *j = NULL;
	struct network_spec s;
	struct err e = {0};

	is_int(json_read(body, strlen(body), &j, &e), 0, "JSON");
	is_int(network_create_parse(j, &s, &e), 0, "taken%s", e.msg);
	is_str(s.name, "n", "a key in lower case, as Go reads it");
	is_str(s.driver, "bridge", "driver");
	ok(s.internal && !s.attachable && s.config_only, "flags");
	ok(s.off[V4] && !s.off[V6] && s.given[V4] && s.given[V6], "families");
	is_str(s.config_from, "base", "the configuration it is made from");
	is_str(json_string_value(json_object_get(s.labels, "a")), "b", "labels");
	is_str(s.ipam_driver, "default", "IPAM driver");
	is_int(s.n_ipam, 2, "empty IPAM rows are none");
	is_str(s.ipam[0].subnet, "10.1.0.0/16", "subnet");
	ok(!s.ipam[0].ip_range && !s.ipam[0].gateway, "empty text is not given");
	is_str(json_string_value(json_object_get(s.ipam[0].aux, "p")), "10.1.0.2", "aux");
	is_str(s.ipam[1].gateway, "10.2.0.1", "the second row");
	network_spec_done(&s);
}

/* ---- prune's filters ---- */

static struct filters *filters_of(const char *text)
{
	static const char *const keys[] = {PRUNE_KEYS, NULL};
	struct filters *f = NULL;
	struct err e = {0};

	if (filters_parse(text, keys, &f, &e) < 0)
		printf("# %s: %s\n", text, e.msg);
	return f;
}

static void prune(void)
{
	static const struct {
		const char *filters;
		bool goes;
	} table[] = {
		{"", true},
		{"{\"label\":[\"a\"]}", true},
		{"{\"label\":[\"a=b\",\"c\"]}", true},
		{"{\"label\":[\"a=x\"]}", false},
		{"{\"label!\":[\"a\"]}", false},
		{"{\"label!\":{\"a=b\":true}}", false},
		{"{\"label!\":[\"a=x\"]}", true},
		{"{\"label!\":[\"z\",\"c\"]}", false},
		{"{\"label\":[\"a\"],\"label!\":[\"z\"]}", true},
	};
	auto_json json_t *labels = json_pack("{s:s,s:s}", "a", "b", "c", "");

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		auto_(filters_free) struct filters *f = filters_of(table[i].filters);

		is_int(prune_labels(f, labels), table[i].goes, "prune %s", table[i].filters);
	}
}

static void until(void)
{
	auto_(filters_free) struct filters *none = filters_of("");
	auto_(filters_free) struct filters *good = filters_of("{\"until\":[\"1700000000\"]}");
	auto_(filters_free) struct filters *two = filters_of("{\"until\":[\"1\",\"2\"]}");
	auto_(filters_free) struct filters *bad = filters_of("{\"until\":[\"soon\"]}");
	struct err e = {0};
	int64_t ns;
	int r;

	is_int(prune_until(none, &ns, &e), 0, "no until");
	ok(ns == INT64_MAX, "is all of time");
	is_int(prune_until(good, &ns, &e), 0, "until");
	is_int(ns, 1700000000000000000, "in ns");
	r = prune_until(two, &ns, &e);
	is_err(r, e, ERR_INVALID, "more than one until filter specified");
	r = prune_until(bad, &ns, &e);
	is_err(r, e, ERR_INVALID, "failed to parse value as time or duration: \"soon\"");
}

/* ---- the error table ---- */

static void statuses(void)
{
	is_int(api_status_of(ERR_INTERNAL), 500, "internal");
	is_int(api_status_of(ERR_INVALID), 400, "invalid");
	is_int(api_status_of(ERR_NOT_FOUND), 404, "not found");
	is_int(api_status_of(ERR_CONFLICT), 409, "conflict");
	is_int(api_status_of(ERR_FORBIDDEN), 403, "forbidden");
	is_int(api_status_of(ERR_UNAVAILABLE), 503, "unavailable");
	is_int(api_status_of(ERR_UNSUPPORTED), 501, "unsupported");
	is_int(api_status_of(ERR_NOT_MODIFIED), 304, "not modified");
	is_int(api_status_of((enum err_kind)77), 500, "one that is not there");
}

/* ---- the route table: no row hides another ---- */

/* "/x/{name...}/y" -> "/x/p/y" */
static void path_of(const char *pattern, char *out)
{
	for (; *pattern; pattern++) {
		if (*pattern == '{') {
			*out++ = 'p';
			pattern += strcspn(pattern, "}");
		} else {
			*out++ = *pattern;
		}
	}
	*out = '\0';
}

static void routes(void)
{
	for (size_t i = 0; i < api_routes_len; i++) {
		const struct route *want = &api_routes[i];
		struct route_match m;
		char path[128];

		path_of(want->pattern, path);
		is_int(route_find(api_routes, api_routes_len, want->method, path, &m), 0, "%s %s",
		       want->method, path);
		ok(m.route == want, "its own row");
		route_match_done(&m);
	}
}

int main(void)
{
	refused();
	taken();
	prune();
	until();
	statuses();
	routes();
	return tap_done();
}
