/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_images.c - images, history, rmi, tag */

#include <string.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/format.h"

/* ---- images ---- */

static const struct opt images_options[] = {
	OPT_SWITCH('a', "all", "Show all images"),
	OPT_SWITCH(0, "digests", "Show digests"),
	OPT_LIST('f', "filter", "filter", "Only images that fit (key=value)"),
	OPT_VALUE(0, "format", "string", FORMAT_HELP),
	OPT_SWITCH(0, "no-trunc", "Do not shorten the output"),
	OPT_SWITCH('q', "quiet", "Only show image IDs"),
};

static const struct column columns[] = {
	{"ID", "IMAGE ID"},
	{"Repository", "REPOSITORY"},
	{"Tag", "TAG"},
	{"Digest", "DIGEST"},
	{"CreatedSince", "CREATED"},
	{"CreatedAt", "CREATED AT"},
	{"Size", "SIZE"},
	{"Containers", "CONTAINERS"},
	{"VirtualSize", "VIRTUAL SIZE"},
	{"SharedSize", "SHARED SIZE"},
	{"UniqueSize", "UNIQUE SIZE"},
};
static const struct listing images_list = {
	columns, ARRAY_SIZE(columns),
	"{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}", "{{.ID}}"};
static const struct listing images_digests = {
	columns, ARRAY_SIZE(columns),
	"{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}", "{{.ID}}"};

/* "repo:tag" in two; the tag is what follows the last ':' behind the last '/'. */
static void split_tag(const char *ref, char **ret_repo, char **ret_tag)
{
	const char *slash = strrchr(ref, '/'), *colon = strrchr(slash ? slash : ref, ':');

	*ret_repo = need(colon ? strndup(ref, (size_t)(colon - ref)) : strdup(ref));
	*ret_tag = need(strdup(colon ? colon + 1 : ""));
}

static const char *digest_of(const json_t *image, const char *repo)
{
	size_t i;
	json_t *d;

	json_array_foreach(json_get(image, "RepoDigests"), i, d)
	{
		const char *s = json_is_string(d) ? json_string_value(d) : "", *at = strchr(s, '@');

		if (at && (size_t)(at - s) == strlen(repo) && str_has_prefix(s, repo))
			return at + 1;
	}
	return "<none>";
}

static void image_row(json_t *rows, const json_t *image, const char *ref, bool whole)
{
	json_t *row = need(json_object());
	auto_buf struct buf b = BUF_INIT(4096);
	auto_free char *repo = NULL, *tag = NULL;
	int64_t created = ji(image, "Created") * NS_PER_S, used = ji(image, "Containers");
	char id[80];

	split_tag(ref, &repo, &tag);
	row_set(row, "ID", short_id(js(image, "Id"), whole, id));
	row_set(row, "Repository", *repo ? repo : "<none>");
	row_set(row, "Tag", *tag ? tag : "<none>");
	row_set(row, "Digest", digest_of(image, repo));
	human_span(&b, clock_real_ns() - created);
	(void)buf_puts(&b, " ago");
	row_set_buf(row, "CreatedSince", &b);
	human_moment(&b, created);
	row_set_buf(row, "CreatedAt", &b);
	human_size(&b, ji(image, "Size"), 3);
	row_set(row, "VirtualSize", buf_str(&b));
	row_set_buf(row, "Size", &b);
	if (used >= 0)
		row_setf(row, "Containers", "%lld", (long long)used);
	else
		row_set(row, "Containers", "N/A");
	row_set(row, "SharedSize", "N/A");
	row_set(row, "UniqueSize", "N/A");
	if (json_array_append_new(rows, row) < 0)
		cli_no_memory();
}

static int images_url(struct buf *u, const struct args *a, struct err *e)
{
	auto_strv char **filters = NULL;
	char *const *given = arg_list(a, "filter");

	for (; given && *given; given++)
		list_add(&filters, *given);
	if (args_n(a))
		list_addf(&filters, "reference=%s", args_operands(a)[0]);
	url_path(u, "/images/json", NULL);
	url_flag(u, "all", arg_bool(a, "all"));
	return url_filters(u, filters, e);
}

static int images(struct cli *cli, const struct args *a, struct err *e)
{
	bool whole = arg_bool(a, "no-trunc");
	auto_buf struct buf u = URL_INIT;
	auto_json json_t *list = NULL, *rows = need(json_array());
	size_t i, k;
	json_t *image, *ref;
	int r = images_url(&u, a, e);

	if (r >= 0)
		r = cli_request(cli, "GET", &u, NULL, &list, e);
	if (r < 0)
		return r;
	json_array_foreach(list, i, image)
	{
		json_t *tags = json_get(image, "RepoTags");

		if (!json_array_size(tags))
			image_row(rows, image, "", whole);
		json_array_foreach(tags, k, ref)
		{
			image_row(rows, image, json_is_string(ref) ? json_string_value(ref) : "",
				  whole);
		}
	}
	return list_print(arg_bool(a, "digests") ? &images_digests : &images_list, rows,
			  arg_str(a, "format"), arg_bool(a, "quiet"), e);
}

const struct command cmd_images = {
	.operands = "[REPOSITORY[:TAG]]",
	.summary = "List images",
	.tables = {OPT_TABLE(images_options)},
	.max = 1,
	.run = images,
};

/* ---- history ---- */

static const struct opt history_options[] = {
	OPT_VALUE(0, "format", "string", FORMAT_HELP),
	OPT_PRESET('H', "human", NULL, "true", "Print sizes and dates in human readable format"),
	OPT_SWITCH(0, "no-trunc", "Do not shorten the output"),
	OPT_SWITCH('q', "quiet", "Only show image IDs"),
};

static const struct column history_columns[] = {
	{"ID", "IMAGE"},
	{"CreatedSince", "CREATED"},
	{"CreatedAt", "CREATED AT"},
	{"CreatedBy", "CREATED BY"},
	{"Size", "SIZE"},
	{"Comment", "COMMENT"},
};
static const struct listing history_list = {
	history_columns, ARRAY_SIZE(history_columns),
	"{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}", "{{.ID}}"};

static json_t *history_row(const json_t *h, const struct args *a)
{
	json_t *row = need(json_object());
	auto_buf struct buf b = BUF_INIT(1u << 20);
	bool whole = arg_bool(a, "no-trunc"), human = arg_bool(a, "human");
	int64_t created = ji(h, "Created") * NS_PER_S;
	const char *by = js(h, "CreatedBy");
	char id[80];

	row_set(row, "ID", short_id(js(h, "Id"), whole, id));
	human_moment(&b, created);
	row_set(row, "CreatedAt", buf_str(&b));
	if (human) {
		buf_clear(&b);
		human_span(&b, clock_real_ns() - created);
		(void)buf_puts(&b, " ago");
	}
	row_set_buf(row, "CreatedSince", &b);
	for (; *by; by++)
		(void)buf_putc(&b, *by == '\t' || *by == '\n' ? ' ' : *by);
	if (!whole && b.len > 45)
		row_setf(row, "CreatedBy", "%.44s\xe2\x80\xa6", buf_str(&b));
	else
		row_set(row, "CreatedBy", buf_str(&b));
	buf_clear(&b);
	if (human)
		human_size(&b, ji(h, "Size"), 3);
	else
		(void)buf_printf(&b, "%lld", (long long)ji(h, "Size"));
	row_set_buf(row, "Size", &b);
	row_set(row, "Comment", js(h, "Comment"));
	return row;
}

static int history(struct cli *cli, const struct args *a, struct err *e)
{
	auto_buf struct buf u = URL_INIT;
	auto_json json_t *list = NULL, *rows = need(json_array());
	size_t i;
	json_t *h;
	int r;

	url_path(&u, "/images/%/history", args_operands(a)[0]);
	r = cli_request(cli, "GET", &u, NULL, &list, e);
	if (r < 0)
		return r;
	json_array_foreach(list, i, h)
	{
		if (json_array_append_new(rows, history_row(h, a)) < 0)
			cli_no_memory();
	}
	return list_print(&history_list, rows, arg_str(a, "format"), arg_bool(a, "quiet"), e);
}

const struct command cmd_history = {
	.operands = "IMAGE",
	.summary = "Show the history of an image",
	.tables = {OPT_TABLE(history_options)},
	.min = 1,
	.max = 1,
	.run = history,
};

/* ---- rmi ---- */

static const struct opt rmi_options[] = {
	OPT_SWITCH('f', "force", "Force removal of the image"),
	OPT_SWITCH(0, "no-prune", "Do not delete untagged parents"),
};

static int rmi_one(struct cli *cli, const struct args *a, const char *name, struct err *e)
{
	auto_buf struct buf u = URL_INIT;
	auto_json json_t *list = NULL;
	size_t i;
	json_t *x;
	int r;

	url_path(&u, "/images/%", name);
	url_flag(&u, "force", arg_bool(a, "force"));
	url_flag(&u, "noprune", arg_bool(a, "no-prune"));
	r = cli_request(cli, "DELETE", &u, NULL, &list, e);
	json_array_foreach(list, i, x)
	{
		if (*js(x, "Deleted"))
			(void)printf("Deleted: %s\n", js(x, "Deleted"));
		else
			(void)printf("Untagged: %s\n", js(x, "Untagged"));
	}
	return r;
}

static int rmi(struct cli *cli, const struct args *a, struct err *e)
{
	(void)e;
	return cli_each(cli, a, rmi_one, false);
}

const struct command cmd_rmi = {
	.operands = "IMAGE [IMAGE...]",
	.summary = "Remove one or more images",
	.tables = {OPT_TABLE(rmi_options)},
	.min = 1,
	.max = -1,
	.run = rmi,
};

/* ---- tag ---- */

static int tag_(struct cli *cli, const struct args *a, struct err *e)
{
	char *const *names = args_operands(a);
	auto_buf struct buf u = URL_INIT;
	auto_free char *repo = NULL, *tag = NULL;

	if (strchr(names[1], '@'))
		return err_invalid(e, "refusing to create a tag with a digest reference");
	split_tag(names[1], &repo, &tag);
	url_path(&u, "/images/%/tag", names[0]);
	url_query(&u, "repo", repo);
	url_query(&u, "tag", *tag ? tag : "latest");
	return cli_request(cli, "POST", &u, NULL, NULL, e);
}

const struct command cmd_tag = {
	.operands = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
	.summary = "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
	.min = 2,
	.max = 2,
	.run = tag_,
};
