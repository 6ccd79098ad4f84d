/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_ps.c - ps, port: containers in a table, their published ports */

#include <string.h>

#include "base/clock.h"
#include "base/portspec.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/ports.h"

static const struct opt ps_options[] = {
	OPT_SWITCH('a', "all", "Show all containers (default shows just running)"),
	OPT_LIST('f', "filter", "filter", "Only containers that fit (key=value)"),
	OPT_VALUE(0, "format", "string", FORMAT_HELP),
	OPT_CHECK('n', "last", "int", check_int, "Show the n last created containers of any state"),
	OPT_SWITCH('l', "latest", "Show the last created container of any state"),
	OPT_SWITCH(0, "no-trunc", "Do not shorten the output"),
	OPT_SWITCH('q', "quiet", "Only show container IDs"),
	OPT_SWITCH('s', "size", "Show sizes"),
};

static const struct column columns[] = {
	{"ID", "CONTAINER ID"},
	{"Image", "IMAGE"},
	{"Command", "COMMAND"},
	{"CreatedAt", "CREATED AT"},
	{"RunningFor", "CREATED"},
	{"Ports", "PORTS"},
	{"State", "STATE"},
	{"Status", "STATUS"},
	{"Size", "SIZE"},
	{"Names", "NAMES"},
	{"Labels", "LABELS"},
	{"Mounts", "MOUNTS"},
	{"LocalVolumes", "LOCAL VOLUMES"},
	{"Networks", "NETWORKS"},
};
static const struct listing containers = {
	columns, ARRAY_SIZE(columns),
	"{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}",
	"{{.ID}}"};
static const struct listing containers_sizes = {
	columns, ARRAY_SIZE(columns),
	"{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"
	"\t{{.Size}}",
	"{{.ID}}"};

/* At most @max characters of UTF-8, the last a "…" where something is cut off. */
static void ellipsis(struct buf *out, const char *s, size_t max)
{
	size_t chars = 0, cut = 0, i;

	for (i = 0; s[i]; i++) {
		if (((unsigned char)s[i] & 0xc0) == 0x80)
			continue;
		if (chars++ == max - 1)
			cut = i;
	}
	if (chars <= max) {
		(void)buf_puts(out, s);
		return;
	}
	(void)buf_add(out, s, cut);
	(void)buf_puts(out, "\xe2\x80\xa6");
}

static void cell_names(json_t *row, const json_t *c, struct buf *b)
{
	size_t i;
	json_t *n;

	json_array_foreach(json_get(c, "Names"), i, n)
	{
		const char *s = json_is_string(n) ? json_string_value(n) : "";

		s += *s == '/';
		if (!strchr(s, '/')) /* others are the names of links */
			(void)buf_printf(b, "%s%s", b->len ? "," : "", s);
	}
	row_set_buf(row, "Names", b);
}

static void cell_mounts(json_t *row, const json_t *c, bool whole, struct buf *b)
{
	size_t i, volumes = 0;
	json_t *m;

	json_array_foreach(json_get(c, "Mounts"), i, m)
	{
		const char *name = *js(m, "Name") ? js(m, "Name") : js(m, "Source");

		volumes += streq(js(m, "Driver"), "local");
		if (b->len)
			(void)buf_putc(b, ',');
		ellipsis(b, name, whole ? SIZE_MAX : 15);
	}
	row_set_buf(row, "Mounts", b);
	row_setf(row, "LocalVolumes", "%zu", volumes);
}

static void cell_networks(json_t *row, const json_t *c, struct buf *b)
{
	const char *name;
	json_t *v;

	json_object_foreach(json_get(json_get(c, "NetworkSettings"), "Networks"), name, v)
	{
		(void)buf_printf(b, "%s%s", b->len ? "," : "", name);
	}
	row_set_buf(row, "Networks", b);
}

static void cell_size(json_t *row, const json_t *c, struct buf *b)
{
	human_size(b, ji(c, "SizeRw"), 3);
	if (ji(c, "SizeRootFs") > 0) {
		(void)buf_puts(b, " (virtual ");
		human_size(b, ji(c, "SizeRootFs"), 3);
		(void)buf_putc(b, ')');
	}
	row_set_buf(row, "Size", b);
}

static json_t *container_row(const json_t *c, bool whole)
{
	json_t *row = need(json_object());
	auto_buf struct buf b = BUF_INIT(1u << 20), quoted = BUF_INIT(1u << 20);
	const char *image = js(c, "Image");
	int64_t created = ji(c, "Created") * NS_PER_S;
	char id[80];

	row_set(row, "ID", short_id(js(c, "Id"), whole, id));
	row_set(row, "Image",
		!*image				   ? "<no image>"
		: str_has_prefix(image, "sha256:") ? short_id(image, whole, id)
						   : image);
	ellipsis(&quoted, js(c, "Command"), whole ? SIZE_MAX : 20);
	row_setf(row, "Command", "\"%s\"", buf_str(&quoted));
	human_moment(&b, created);
	row_set_buf(row, "CreatedAt", &b);
	human_span(&b, clock_real_ns() - created);
	(void)buf_puts(&b, " ago");
	row_set_buf(row, "RunningFor", &b);
	ports_text(&b, json_get(c, "Ports"));
	row_set_buf(row, "Ports", &b);
	row_set(row, "State", js(c, "State"));
	row_set(row, "Status", js(c, "Status"));
	cell_size(row, c, &b);
	cell_names(row, c, &b);
	row_set_labels(row, json_get(c, "Labels"));
	cell_mounts(row, c, whole, &b);
	cell_networks(row, c, &b);
	return row;
}

static int ps(struct cli *cli, const struct args *a, struct err *e)
{
	const char *format = arg_str(a, "format") ? arg_str(a, "format") : "";
	bool sizes = arg_bool(a, "size") || strstr(format, ".Size") || strstr(format, "json .");
	auto_buf struct buf u = URL_INIT;
	auto_json json_t *list = NULL, *rows = need(json_array());
	size_t i;
	json_t *c;
	int r;

	url_path(&u, "/containers/json", NULL);
	url_flag(&u, "all", arg_bool(a, "all"));
	url_query(&u, "limit", arg_bool(a, "latest") ? "1" : arg_str(a, "last"));
	url_flag(&u, "size", sizes);
	r = url_filters(&u, arg_list(a, "filter"), e);
	if (r >= 0)
		r = cli_request(cli, "GET", &u, NULL, &list, e);
	if (r < 0)
		return r;
	json_array_foreach(list, i, c)
	{
		if (json_array_append_new(rows, container_row(c, arg_bool(a, "no-trunc"))) < 0)
			cli_no_memory();
	}
	return list_print(arg_bool(a, "size") ? &containers_sizes : &containers, rows, format,
			  arg_bool(a, "quiet"), e);
}

const struct command cmd_ps = {
	.summary = "List containers",
	.tables = {OPT_TABLE(ps_options)},
	.run = ps,
};

/* ---- port ---- */

static void print_bindings(const char *key, const json_t *list, bool with_key)
{
	size_t i;
	json_t *b;

	json_array_foreach(list, i, b)
	{
		const char *ip = js(b, "HostIp");

		if (with_key)
			(void)printf("%s -> ", key);
		(void)printf(strchr(ip, ':') ? "[%s]:%s\n" : "%s:%s\n", *ip ? ip : "0.0.0.0",
			     js(b, "HostPort"));
	}
}

static int one_port(const json_t *ports, const char *name, const char *wanted, struct err *e)
{
	auto_free char *key = NULL;
	uint16_t port, end;
	uint8_t proto;
	int r = port_parse(wanted, &proto, &port, &end, e);

	if (r < 0)
		return r;
	key = need(str_printf("%u/%s", port, proto_name(proto)));
	if (!json_array_size(json_object_get(ports, key)))
		return err_not_found(e, "Error: No public port '%s' published for %s", wanted,
				     name);
	print_bindings(key, json_object_get(ports, key), false);
	return 0;
}

/* By number, then by protocol, as docker shows them. */
static int by_port(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	size_t n = strspn(x, "0123456789"), m = strspn(y, "0123456789");

	return n != m ? (n < m ? -1 : 1) : strcmp(x, y);
}

static int port(struct cli *cli, const struct args *a, struct err *e)
{
	char *const *words = args_operands(a);
	auto_json json_t *c = NULL;
	auto_strv char **keys = NULL;
	json_t *ports, *v;
	const char *key;
	int r = inspect_one(cli, "container", words[0], false, &c, e);

	if (r < 0)
		return r;
	ports = json_get(json_get(c, "NetworkSettings"), "Ports");
	if (words[1])
		return one_port(ports, words[0], words[1], e);
	json_object_foreach(ports, key, v)
	{
		list_add(&keys, key);
	}
	if (keys)
		qsort(keys, strv_len(keys), sizeof(*keys), by_port);
	for (size_t i = 0; keys && keys[i]; i++)
		print_bindings(keys[i], json_object_get(ports, keys[i]), true);
	return 0;
}

const struct command cmd_port = {
	.operands = "CONTAINER [PRIVATE_PORT[/PROTO]]",
	.summary = "List port mappings or a specific mapping for the container",
	.min = 1,
	.max = 2,
	.run = port,
};
