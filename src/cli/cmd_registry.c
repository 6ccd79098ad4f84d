/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_registry.c - pull, push, search: what goes to registries and comes from them */

#include <string.h>

#include "cli/authfile.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/progress.h"
#include "cli/refname.h"

/* POST @url with the credentials for @domain; what comes back is shown on @out */
static int transfer(struct cli *cli, const struct buf *url, const char *domain, bool quiet,
		    FILE *out, struct err *e)
{
	auto_json json_t *auth = NULL;
	auto_free char *header = NULL;
	struct progress p = {.line = BUF_INIT(1u << 20),
			     .fd = -EBADF,
			     .quiet = quiet,
			     .out = out,
			     .steps = true};
	struct http_resp resp = {0};
	struct client *c;
	int r = auth_find(refname_server(domain), &auth, e);

	if (r >= 0)
		r = cli_client(cli, &c, e);
	if (r < 0)
		return r;
	header = auth_header(auth);
	const char *const headers[] = {"X-Registry-Auth", header, NULL};
	struct http_call call = {.method = "POST",
				 .path = buf_str(url),
				 .headers = headers,
				 .on_data = progress_data,
				 .data = &p};

	r = client_call(c, &call, &resp, e);
	if (r >= 0)
		r = progress_end(&p, e);
	progress_done(&p);
	http_resp_done(&resp);
	return r;
}

/* ---- pull ---- */

static const struct opt pull_options[] = {
	OPT_SWITCH('a', "all-tags", "Download all tagged images in the repository"),
	OPT_PRESET(0, "disable-content-trust", NULL, "true", NULL),
	OPT_VALUE(0, "platform", "string", "Set platform if server is multi-platform capable"),
	OPT_SWITCH('q', "quiet", "Suppress verbose output"),
};

int pull_image(struct cli *cli, const char *name, const char *platform, bool all, bool quiet,
	       FILE *out, struct err *e)
{
	struct refname ref = refname_parse(name);
	auto_buf struct buf u = URL_INIT;
	auto_free char *image = need(str_printf("%s/%s", ref.domain, ref.path));
	int r;

	url_path(&u, "/images/create", NULL);
	url_query(&u, "fromImage", image);
	url_query(&u, "tag", *ref.digest ? ref.digest : all ? NULL : *ref.tag ? ref.tag : "latest");
	url_query(&u, "platform", platform);
	r = transfer(cli, &u, ref.domain, quiet, out, e);
	refname_done(&ref);
	return r;
}

static int pull(struct cli *cli, const struct args *a, struct err *e)
{
	const char *name = args_operands(a)[0];
	struct refname ref = refname_parse(name);
	bool all = arg_bool(a, "all-tags"), quiet = arg_bool(a, "quiet");
	int r = 0;

	if (all && (*ref.tag || *ref.digest))
		r = err_invalid(e, "tag can't be used with --all-tags/-a");
	else if (!all && !*ref.tag && !*ref.digest) {
		(void)str_set(&ref.tag, "latest");
		(void)need(ref.tag);
		if (!quiet)
			(void)printf("Using default tag: latest\n");
	}
	if (r >= 0)
		r = pull_image(cli, name, arg_str(a, "platform"), all, quiet, stdout, e);
	if (r >= 0) {
		auto_free char *whole = refname_whole(&ref);

		(void)printf("%s\n", whole);
	}
	refname_done(&ref);
	return r;
}

const struct command cmd_pull = {
	.operands = "NAME[:TAG|@DIGEST]",
	.summary = "Download an image from a registry",
	.tables = {OPT_TABLE(pull_options)},
	.min = 1,
	.max = 1,
	.run = pull,
};

/* ---- push ---- */

static const struct opt push_options[] = {
	OPT_SWITCH('a', "all-tags", "Push all tags of an image to the repository"),
	OPT_PRESET(0, "disable-content-trust", NULL, "true", NULL),
	OPT_SWITCH('q', "quiet", "Suppress verbose output"),
};

static int push(struct cli *cli, const struct args *a, struct err *e)
{
	const char *name = args_operands(a)[0];
	struct refname ref = refname_parse(name);
	bool all = arg_bool(a, "all-tags"), quiet = arg_bool(a, "quiet");
	auto_free char *bare = strndup(name, strlen(name) - strlen(ref.tag) - (*ref.tag ? 1 : 0));
	auto_buf struct buf u = URL_INIT;
	int r = 0;

	if (*ref.digest) {
		r = err_invalid(e, "cannot push a digest reference");
	} else if (all && *ref.tag) {
		r = err_invalid(e, "tag can't be used with --all-tags/-a");
	} else {
		if (!all && !*ref.tag && !quiet)
			(void)printf("Using default tag: latest\n");
		url_path(&u, "/images/%/push", need(bare));
		url_query(&u, "tag", all ? "" : *ref.tag ? ref.tag : "latest");
		r = transfer(cli, &u, ref.domain, quiet, stdout, e);
	}
	if (r >= 0 && quiet) {
		auto_free char *whole = refname_whole(&ref);

		(void)printf("%s%s\n", whole, all || *ref.tag ? "" : ":latest");
	}
	refname_done(&ref);
	return r;
}

const struct command cmd_push = {
	.operands = "NAME[:TAG]",
	.summary = "Upload an image to a registry",
	.tables = {OPT_TABLE(push_options)},
	.min = 1,
	.max = 1,
	.run = push,
};

/* ---- search ---- */

static const struct opt search_options[] = {
	OPT_LIST('f', "filter", "filter", "Only results that fit (key=value)"),
	OPT_VALUE(0, "format", "string", FORMAT_HELP),
	OPT_CHECK(0, "limit", "int", check_int, "Max number of search results"),
	OPT_SWITCH(0, "no-trunc", "Do not shorten the output"),
};
static const struct column search_columns[] = {
	{"Name", "NAME"},
	{"Description", "DESCRIPTION"},
	{"StarCount", "STARS"},
	{"IsOfficial", "OFFICIAL"},
};
static const struct listing search_list = {
	search_columns, ARRAY_SIZE(search_columns),
	"{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}", NULL};

static json_t *search_row(const json_t *one, bool whole)
{
	json_t *row = need(json_object());
	auto_buf struct buf text = BUF_INIT(1u << 20);

	for (const char *p = js(one, "description"); *p; p++)
		(void)buf_putc(&text, *p == '\n' || *p == '\r' || *p == '\t' ? ' ' : *p);
	row_set(row, "Name", js(one, "name"));
	if (!whole && text.len > 45)
		row_setf(row, "Description", "%.44s\xe2\x80\xa6", buf_str(&text));
	else
		row_set(row, "Description", buf_str(&text));
	row_setf(row, "StarCount", "%lld", (long long)ji(one, "star_count"));
	row_set(row, "IsOfficial", jb(one, "is_official") ? "[OK]" : "");
	return row;
}

static int search(struct cli *cli, const struct args *a, struct err *e)
{
	auto_json json_t *list = NULL, *rows = need(json_array());
	auto_buf struct buf u = URL_INIT;
	json_t *one;
	size_t i;
	int r;

	url_path(&u, "/images/search", NULL);
	url_query(&u, "term", args_operands(a)[0]);
	url_query(&u, "limit", arg_str(a, "limit"));
	r = url_filters(&u, arg_list(a, "filter"), e);
	if (r >= 0)
		r = cli_request(cli, "GET", &u, NULL, &list, e);
	if (r < 0)
		return r;
	json_array_foreach(list, i, one)
	{
		if (json_array_append_new(rows, search_row(one, arg_bool(a, "no-trunc"))) < 0)
			cli_no_memory();
	}
	return list_print(&search_list, rows, arg_str(a, "format"), false, e);
}

const struct command cmd_search = {
	.operands = "TERM",
	.summary = "Search Docker Hub, or another registry (HOST/TERM), for images",
	.tables = {OPT_TABLE(search_options)},
	.min = 1,
	.max = 1,
	.run = search,
};
