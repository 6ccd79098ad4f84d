/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_network.c - network create, ls, rm, connect, disconnect, prune */

#include <string.h>

#include "base/ip.h"
#include "base/jsonw.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/pairs.h"

/* ---- create ---- */

static const struct opt create_options[] = {
	OPT_SWITCH(0, "attachable", "Enable manual container attachment"),
	OPT_LIST_CHECK(0, "aux-address", "map", check_pair,
		       "Address that the network's IPAM leaves alone (name=address)"),
	OPT_VALUE(0, "config-from", "string", "Take the configuration of that network"),
	OPT_SWITCH(0, "config-only", "Make a configuration only network"),
	OPT_PRESET('d', "driver", "string", "bridge", "Driver to manage the network"),
	OPT_LIST(0, "gateway", "strings", "IPv4 or IPv6 gateway for the subnet"),
	OPT_SWITCH(0, "internal", "Restrict external access to the network"),
	OPT_LIST(0, "ip-range", "strings", "Allocate container addresses from a sub-range"),
	OPT_PRESET(0, "ipam-driver", "string", "default", "IP address management driver"),
	OPT_LIST_CHECK(0, "ipam-opt", "map", check_pair, "IPAM driver specific options"),
	OPT_SWITCH(0, "ipv4", "Enable or disable IPv4 address assignment"),
	OPT_SWITCH(0, "ipv6", "Enable or disable IPv6 address assignment"),
	OPT_LIST(0, "label", "list", "Set metadata on a network"),
	OPT_LIST_CHECK('o', "opt", "map", check_pair, "Set driver specific options"),
	OPT_VALUE(0, "scope", "string", "Control the network's scope"),
	OPT_LIST(0, "subnet", "strings", "Subnet in CIDR format"),
};

/* @text (an address, or a range) lies in @subnet. */
static bool within(const char *subnet, const char *text)
{
	struct cidr s, range;
	struct ip addr;

	if (cidr_parse(subnet, &s) < 0)
		return false;
	if (cidr_parse(text, &range) == 0)
		return cidr_has(s, cidr_first(range)) && cidr_has(s, cidr_last(range));
	return ip_parse(text, &addr) == 0 && cidr_has(s, addr);
}

/* Each of @texts must have a subnet. */
static int all_within(char *const *subnets, char *const *texts, const char *what, struct err *e)
{
	for (; texts && *texts; texts++) {
		bool found = false;

		for (char *const *s = subnets; s && *s; s++)
			found = found || within(*s, *texts);
		if (!found)
			return err_invalid(e, "no matching subnet for %s %s", what, *texts);
	}
	return 0;
}

/* The first of @texts within @subnet. */
static const char *first_within(const char *subnet, char *const *texts)
{
	for (; texts && *texts; texts++)
		if (within(subnet, *texts))
			return *texts;
	return NULL;
}

static void aux_addresses(struct jsonw *w, const char *subnet, char *const *pairs)
{
	bool begun = false;

	for (; pairs && *pairs; pairs++) {
		size_t len = strcspn(*pairs, "=");
		auto_free char *name = need(strndup(*pairs, len));

		if (!within(subnet, *pairs + len + 1))
			continue;
		if (!begun)
			jsonw_object(w, "AuxiliaryAddresses");
		begun = true;
		jsonw_str(w, name, *pairs + len + 1);
	}
	if (begun)
		jsonw_end_object(w);
}

static int ipam(struct jsonw *w, const struct args *a, struct err *e)
{
	char *const *subnets = arg_list(a, "subnet"), *const *ranges = arg_list(a, "ip-range");
	char *const *gateways = arg_list(a, "gateway"), *const *aux = arg_list(a, "aux-address");

	if (strv_len(subnets) < strv_len(ranges) || strv_len(subnets) < strv_len(gateways))
		return err_invalid(e, "every ip-range or gateway must have a corresponding subnet");
	if (all_within(subnets, ranges, "range", e) < 0 ||
	    all_within(subnets, gateways, "gateway", e) < 0)
		return -EINVAL;
	for (char *const *p = aux; p && *p; p++) {
		char *one[] = {strchr(*p, '=') + 1, NULL};

		if (all_within(subnets, one, "aux-address", e) < 0)
			return -EINVAL;
	}
	jsonw_object(w, "IPAM");
	jsonw_str(w, "Driver", arg_str(a, "ipam-driver"));
	pairs_object(w, "Options", arg_list(a, "ipam-opt"));
	jsonw_array(w, "Config");
	for (; subnets && *subnets; subnets++) {
		const char *range = first_within(*subnets, ranges);
		const char *gateway = first_within(*subnets, gateways);

		jsonw_object(w, NULL);
		jsonw_str(w, "Subnet", *subnets);
		if (range)
			jsonw_str(w, "IPRange", range);
		if (gateway)
			jsonw_str(w, "Gateway", gateway);
		aux_addresses(w, *subnets, aux);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
	jsonw_end_object(w);
	return 0;
}

static int create(struct cli *cli, const struct args *a, struct err *e)
{
	auto_buf struct buf u = URL_INIT, body = BUF_INIT(4u << 20);
	struct jsonw w = JSONW_INIT(&body);
	auto_json json_t *answer = NULL;
	int r;

	jsonw_object(&w, NULL);
	jsonw_str(&w, "Name", args_operands(a)[0]);
	jsonw_str(&w, "Driver", arg_str(a, "driver"));
	jsonw_bool(&w, "CheckDuplicate", true);
	jsonw_bool(&w, "Internal", arg_bool(a, "internal"));
	jsonw_bool(&w, "Attachable", arg_bool(a, "attachable"));
	jsonw_bool(&w, "ConfigOnly", arg_bool(a, "config-only"));
	if (arg_given(a, "config-from")) {
		jsonw_object(&w, "ConfigFrom");
		jsonw_str(&w, "Network", arg_str(a, "config-from"));
		jsonw_end_object(&w);
	}
	if (arg_given(a, "scope"))
		jsonw_str(&w, "Scope", arg_str(a, "scope"));
	if (arg_given(a, "ipv4"))
		jsonw_bool(&w, "EnableIPv4", arg_bool(a, "ipv4"));
	if (arg_given(a, "ipv6"))
		jsonw_bool(&w, "EnableIPv6", arg_bool(a, "ipv6"));
	r = ipam(&w, a, e);
	if (r < 0)
		return r;
	pairs_object(&w, "Options", arg_list(a, "opt"));
	pairs_object(&w, "Labels", arg_list(a, "label"));
	jsonw_end_object(&w);
	if (buf_err(&body))
		return err_invalid(e, "the request is too large");
	url_path(&u, "/networks/create", NULL);
	r = cli_request(cli, "POST", &u, buf_str(&body), &answer, e);
	if (r < 0)
		return r;
	if (*js(answer, "Warning"))
		(void)fprintf(stderr, "WARNING: %s\n", js(answer, "Warning"));
	(void)printf("%s\n", js(answer, "Id"));
	return 0;
}

const struct command cmd_network_create = {
	.operands = "NETWORK",
	.summary = "Create a network",
	.tables = {OPT_TABLE(create_options)},
	.min = 1,
	.max = 1,
	.run = create,
};

/* ---- ls ---- */

static const struct opt ls_options[] = {
	OPT_LIST('f', "filter", "filter", "Only networks that fit (e.g. \"driver=bridge\")"),
	OPT_VALUE(0, "format", "string", FORMAT_HELP),
	OPT_SWITCH(0, "no-trunc", "Do not shorten the output"),
	OPT_SWITCH('q', "quiet", "Only display network IDs"),
};

static const struct column columns[] = {
	{"ID", "NETWORK ID"},	  {"Name", "NAME"},	{"Driver", "DRIVER"},
	{"Scope", "SCOPE"},	  {"IPv4", "IPV4"},	{"IPv6", "IPV6"},
	{"Internal", "INTERNAL"}, {"Labels", "LABELS"}, {"CreatedAt", "CREATED AT"},
};
static const struct listing networks = {columns, ARRAY_SIZE(columns),
					"{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}", "{{.ID}}"};

static const char *yes(bool b)
{
	return b ? "true" : "false";
}

static json_t *network_row(const json_t *n, bool whole)
{
	json_t *row = need(json_object());
	char id[80];

	row_set(row, "ID", short_id(js(n, "Id"), whole, id));
	row_set(row, "Name", js(n, "Name"));
	row_set(row, "Driver", js(n, "Driver"));
	row_set(row, "Scope", js(n, "Scope"));
	row_set(row, "IPv4", yes(!json_get(n, "EnableIPv4") || jb(n, "EnableIPv4")));
	row_set(row, "IPv6", yes(jb(n, "EnableIPv6")));
	row_set(row, "Internal", yes(jb(n, "Internal")));
	row_set(row, "CreatedAt", js(n, "Created"));
	row_set_labels(row, json_get(n, "Labels"));
	return row;
}

static int by_name(const void *a, const void *b)
{
	json_t *const *x = a, *const *y = b;

	return strcmp(js(*x, "Name"), js(*y, "Name"));
}

int rows_by_name(struct cli *cli, const struct buf *url, const char *key,
		 json_t *(*row)(const json_t *o, bool whole), bool whole, json_t **ret,
		 struct err *e)
{
	auto_json json_t *answer = NULL, *rows = need(json_array());
	auto_free json_t **sorted = NULL;
	json_t *list;
	size_t n;
	int r = cli_request(cli, "GET", url, NULL, &answer, e);

	if (r < 0)
		return r;
	list = key ? json_get(answer, key) : answer;
	n = json_array_size(list);
	sorted = need(calloc(n + 1, sizeof(json_t *)));
	for (size_t i = 0; i < n; i++)
		sorted[i] = json_array_get(list, i);
	qsort(sorted, n, sizeof(json_t *), by_name);
	for (size_t i = 0; i < n; i++)
		if (json_array_append_new(rows, row(sorted[i], whole)) < 0)
			cli_no_memory();
	*ret = TAKE_PTR(rows);
	return 0;
}

static int ls(struct cli *cli, const struct args *a, struct err *e)
{
	auto_buf struct buf u = URL_INIT;
	auto_json json_t *rows = NULL;
	int r;

	url_path(&u, "/networks", NULL);
	r = url_filters(&u, arg_list(a, "filter"), e);
	if (r >= 0)
		r = rows_by_name(cli, &u, NULL, network_row, arg_bool(a, "no-trunc"), &rows, e);
	return r < 0 ? r
		     : list_print(&networks, rows, arg_str(a, "format"), arg_bool(a, "quiet"), e);
}

const struct command cmd_network_ls = {
	.summary = "List networks",
	.tables = {OPT_TABLE(ls_options)},
	.run = ls,
};

/* ---- rm ---- */

static const struct opt rm_options[] = {
	OPT_SWITCH('f', "force", "Do not fail if the network does not exist"),
};

static int rm_one(struct cli *cli, const struct args *a, const char *name, struct err *e)
{
	auto_buf struct buf u = URL_INIT;
	struct err why = {0};
	int r;

	url_path(&u, "/networks/%", name);
	r = cli_request(cli, "DELETE", &u, NULL, NULL, &why);
	if (r >= 0) {
		(void)printf("%s\n", name);
		return 0;
	}
	if (why.kind == ERR_NOT_FOUND && arg_bool(a, "force"))
		return 0;
	return err_set(e, why.kind, -r, "%s", why.msg);
}

static int rm(struct cli *cli, const struct args *a, struct err *e)
{
	(void)e;
	return cli_each(cli, a, rm_one, false);
}

const struct command cmd_network_rm = {
	.operands = "NETWORK [NETWORK...]",
	.summary = "Remove one or more networks",
	.tables = {OPT_TABLE(rm_options)},
	.min = 1,
	.max = -1,
	.run = rm,
};

/* ---- connect, disconnect ---- */

static const struct opt connect_options[] = {
	OPT_LIST(0, "alias", "strings", "Add network-scoped alias for the container"),
	OPT_LIST_CHECK(0, "driver-opt", "strings", check_pair, "Driver options for the network"),
	OPT_CHECK(0, "gw-priority", "int", check_int,
		  "Highest gw-priority provides the default gateway"),
	OPT_VALUE(0, "ip", "string", "IPv4 address (e.g., \"172.30.100.104\")"),
	OPT_VALUE(0, "ip6", "string", "IPv6 address (e.g., \"2001:db8::33\")"),
	OPT_LIST(0, "link", "list", "Add link to another container"),
	OPT_LIST(0, "link-local-ip", "strings", "Add a link-local address for the container"),
};

static int connect_(struct cli *cli, const struct args *a, struct err *e)
{
	auto_buf struct buf u = URL_INIT, body = BUF_INIT(1u << 20);
	struct jsonw w = JSONW_INIT(&body);
	struct endpoint_opts ep = {.ip = arg_str(a, "ip"),
				   .ip6 = arg_str(a, "ip6"),
				   .gw_priority = arg_str(a, "gw-priority"),
				   .aliases = arg_list(a, "alias"),
				   .links = arg_list(a, "link"),
				   .link_local = arg_list(a, "link-local-ip"),
				   .driver_opts = arg_list(a, "driver-opt")};

	jsonw_object(&w, NULL);
	jsonw_str(&w, "Container", args_operands(a)[1]);
	endpoint_object(&w, "EndpointConfig", &ep);
	jsonw_end_object(&w);
	if (buf_err(&body))
		return err_invalid(e, "the request is too large");
	url_path(&u, "/networks/%/connect", args_operands(a)[0]);
	return cli_request(cli, "POST", &u, buf_str(&body), NULL, e);
}

const struct command cmd_network_connect = {
	.operands = "NETWORK CONTAINER",
	.summary = "Connect a container to a network",
	.tables = {OPT_TABLE(connect_options)},
	.min = 2,
	.max = 2,
	.run = connect_,
};

static const struct opt disconnect_options[] = {
	OPT_SWITCH('f', "force", "Force the container to disconnect from a network"),
};

static int disconnect(struct cli *cli, const struct args *a, struct err *e)
{
	auto_buf struct buf u = URL_INIT, body = BUF_INIT(1u << 20);
	struct jsonw w = JSONW_INIT(&body);

	jsonw_object(&w, NULL);
	jsonw_str(&w, "Container", args_operands(a)[1]);
	jsonw_bool(&w, "Force", arg_bool(a, "force"));
	jsonw_end_object(&w);
	if (buf_err(&body))
		return err_invalid(e, "the request is too large");
	url_path(&u, "/networks/%/disconnect", args_operands(a)[0]);
	return cli_request(cli, "POST", &u, buf_str(&body), NULL, e);
}

const struct command cmd_network_disconnect = {
	.operands = "NETWORK CONTAINER",
	.summary = "Disconnect a container from a network",
	.tables = {OPT_TABLE(disconnect_options)},
	.min = 2,
	.max = 2,
	.run = disconnect,
};

/* ---- prune ---- */

static const struct opt prune_options[] = {
	OPT_LIST(0, "filter", "filter", "Only what fits (e.g. \"until=<timestamp>\")"),
	OPT_SWITCH('f', "force", "Do not ask for confirmation"),
};

static int prune_networks(struct cli *cli, const struct args *a, struct err *e)
{
	static const struct prune what = {
		.path = "/networks/prune",
		.warning = "This will remove all custom networks not used by at least one "
			   "container.",
		.key = "NetworksDeleted",
		.title = "Deleted Networks:",
	};

	return prune(cli, a, &what, e);
}

const struct command cmd_network_prune = {
	.summary = "Remove all unused networks",
	.tables = {OPT_TABLE(prune_options)},
	.run = prune_networks,
};
