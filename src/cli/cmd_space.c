/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_space.c - what takes room on the disk, and giving it back: system df, system prune, image
 * prune */

#include <string.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/units.h"

/* ---- system df ---- */

static const struct opt df_options[] = {
	OPT_VALUE(0, "format", "string", FORMAT_HELP),
	OPT_SWITCH('v', "verbose", "Show each image, container and volume"),
};

static const struct column df_columns[] = {
	{"Type", "TYPE"}, {"TotalCount", "TOTAL"},	  {"Active", "ACTIVE"},
	{"Size", "SIZE"}, {"Reclaimable", "RECLAIMABLE"},
};
static const struct listing df_list = {
	df_columns, ARRAY_SIZE(df_columns),
	"{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}", NULL};

struct usage {
	int64_t total, active, size, reclaimable;
};

static json_t *usage_row(const char *type, const struct usage *u)
{
	auto_buf struct buf size = BUF_INIT(64), gain = BUF_INIT(64);
	json_t *row = need(json_object());

	human_size(&size, u->size, 4);
	human_size(&gain, u->reclaimable, 4);
	row_set(row, "Type", type);
	row_setf(row, "TotalCount", "%lld", (long long)u->total);
	row_setf(row, "Active", "%lld", (long long)u->active);
	row_set(row, "Size", buf_str(&size));
	if (u->size > 0)
		row_setf(row, "Reclaimable", "%s (%lld%%)", buf_str(&gain),
			 (long long)(u->reclaimable * 100 / u->size));
	else
		row_set(row, "Reclaimable", buf_str(&gain));
	return row;
}

static bool runs(const json_t *container)
{
	const char *state = js(container, "State");

	return streq(state, "running") || streq(state, "paused") || streq(state, "restarting");
}

/* What the images in use need stays: what they share with others is counted once, in them. */
static struct usage images_usage(const json_t *df)
{
	struct usage u = {.size = ji(df, "LayersSize")};
	int64_t used = 0;
	json_t *i;
	size_t n;

	json_array_foreach(json_get(df, "Images"), n, i)
	{
		u.total++;
		if (ji(i, "Containers") <= 0)
			continue;
		u.active++;
		used += ji(i, "Size") - MAX(0, ji(i, "SharedSize"));
	}
	u.reclaimable = u.active ? MAX(0, u.size - used) : u.size;
	if (u.active == u.total)
		u.reclaimable = 0;
	return u;
}

static struct usage containers_usage(const json_t *df)
{
	struct usage u = {0};
	json_t *c;
	size_t n;

	json_array_foreach(json_get(df, "Containers"), n, c)
	{
		u.total++;
		u.active += runs(c);
		u.size += ji(c, "SizeRw");
		u.reclaimable += runs(c) ? 0 : ji(c, "SizeRw");
	}
	return u;
}

static struct usage volumes_usage(const json_t *df)
{
	struct usage u = {0};
	json_t *v;
	size_t n;

	json_array_foreach(json_get(df, "Volumes"), n, v)
	{
		const json_t *use = json_get(v, "UsageData");
		int64_t size = MAX(0, ji(use, "Size"));

		u.total++;
		u.active += ji(use, "RefCount") > 0;
		u.size += size;
		u.reclaimable += ji(use, "RefCount") > 0 ? 0 : size;
	}
	return u;
}

static struct usage cache_usage(const json_t *df)
{
	struct usage u = {0};
	json_t *x;
	size_t n;

	json_array_foreach(json_get(df, "BuildCache"), n, x)
	{
		u.total++;
		u.active += jb(x, "InUse");
		u.size += jb(x, "Shared") ? 0 : ji(x, "Size");
		u.reclaimable += jb(x, "Shared") || jb(x, "InUse") ? 0 : ji(x, "Size");
	}
	return u;
}

static int df_summary(const json_t *df, const char *format, struct err *e)
{
	auto_json json_t *rows = need(json_array());
	const struct {
		const char *type;
		struct usage u;
	} all[] = {{"Images", images_usage(df)},
		   {"Containers", containers_usage(df)},
		   {"Local Volumes", volumes_usage(df)},
		   {"Build Cache", cache_usage(df)}};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		(void)json_array_append_new(rows, usage_row(all[i].type, &all[i].u));
	return list_print(&df_list, rows, format, false, e);
}

/* ---- system df -v ---- */

static const struct column each_columns[] = {
	{"Name", "NAME"},	   {"ID", "ID"},
	{"Size", "SIZE"},	   {"Shared", "SHARED SIZE"},
	{"Unique", "UNIQUE SIZE"}, {"Links", "LINKS"},
	{"Status", "STATUS"},
};
static const struct listing each_image = {each_columns, ARRAY_SIZE(each_columns),
					  "{{.Name}}\t{{.ID}}\t{{.Size}}\t{{.Shared}}\t{{.Unique}}"
					  "\t{{.Links}}",
					  NULL};
static const struct listing each_container = {each_columns, ARRAY_SIZE(each_columns),
					      "{{.ID}}\t{{.Name}}\t{{.Size}}\t{{.Status}}", NULL};
static const struct listing each_volume = {each_columns, ARRAY_SIZE(each_columns),
					   "{{.Name}}\t{{.Links}}\t{{.Size}}", NULL};

static void size_cell(json_t *row, const char *key, int64_t bytes)
{
	auto_buf struct buf text = BUF_INIT(64);

	human_size(&text, MAX(0, bytes), 4);
	row_set(row, key, buf_str(&text));
}

static json_t *image_row(const json_t *i)
{
	const json_t *tag = json_array_get(json_get(i, "RepoTags"), 0);
	json_t *row = need(json_object());
	char id[80];

	row_set(row, "Name", json_is_string(tag) ? json_string_value(tag) : "<none>");
	row_set(row, "ID", short_id(js(i, "Id"), false, id));
	size_cell(row, "Size", ji(i, "Size"));
	size_cell(row, "Shared", ji(i, "SharedSize"));
	size_cell(row, "Unique", ji(i, "Size") - MAX(0, ji(i, "SharedSize")));
	row_setf(row, "Links", "%lld", (long long)ji(i, "Containers"));
	return row;
}

static json_t *container_row(const json_t *c)
{
	const json_t *name = json_array_get(json_get(c, "Names"), 0);
	json_t *row = need(json_object());
	char id[80];

	row_set(row, "ID", short_id(js(c, "Id"), false, id));
	row_set(row, "Name", json_is_string(name) ? json_string_value(name) + 1 : "");
	size_cell(row, "Size", ji(c, "SizeRw"));
	row_set(row, "Status", js(c, "Status"));
	return row;
}

static json_t *volume_row(const json_t *v)
{
	const json_t *use = json_get(v, "UsageData");
	json_t *row = need(json_object());

	row_set(row, "Name", js(v, "Name"));
	row_setf(row, "Links", "%lld", (long long)ji(use, "RefCount"));
	size_cell(row, "Size", ji(use, "Size"));
	return row;
}

static int df_section(const json_t *list, const char *title, const struct listing *l,
		      json_t *(*row)(const json_t *o), struct err *e)
{
	auto_json json_t *rows = need(json_array());
	json_t *o;
	size_t n;

	json_array_foreach(list, n, o)
	{
		(void)json_array_append_new(rows, row(o));
	}
	(void)printf("%s space usage:\n\n", title);
	return list_print(l, rows, NULL, false, e);
}

static int df_verbose(const json_t *df, struct err *e)
{
	int r = df_section(json_get(df, "Images"), "Images", &each_image, image_row, e);

	(void)printf("\n");
	if (r >= 0)
		r = df_section(json_get(df, "Containers"), "Containers", &each_container,
			       container_row, e);
	(void)printf("\n");
	if (r >= 0)
		r = df_section(json_get(df, "Volumes"), "Local Volumes", &each_volume, volume_row,
			       e);
	return r;
}

static int df(struct cli *cli, const struct args *a, struct err *e)
{
	const char *format = arg_str(a, "format");
	auto_buf struct buf u = URL_INIT;
	auto_json json_t *all = NULL;
	int r;

	if (arg_bool(a, "verbose") && !str_empty(format))
		return err_invalid(e, "--format and --verbose do not go together");
	url_path(&u, "/system/df", NULL);
	r = cli_request(cli, "GET", &u, NULL, &all, e);
	if (r < 0)
		return r;
	return arg_bool(a, "verbose") ? df_verbose(all, e) : df_summary(all, format, e);
}

const struct command cmd_system_df = {
	.summary = "Show disk usage",
	.tables = {OPT_TABLE(df_options)},
	.run = df,
};

/* ---- image prune ---- */

static const struct opt image_prune_options[] = {
	OPT_SWITCH('a', "all", "Remove all unused images, not just dangling ones"),
	OPT_LIST(0, "filter", "filter", "Only what fits (e.g. \"until=<timestamp>\")"),
	OPT_SWITCH('f', "force", "Do not ask for confirmation"),
};

static char **image_filters(const struct args *a)
{
	char **filters = NULL;

	for (char *const *f = arg_list(a, "filter"); f && *f; f++)
		list_add(&filters, *f);
	list_add(&filters, arg_bool(a, "all") ? "dangling=false" : "dangling=true");
	return filters;
}

static int image_prune(struct cli *cli, const struct args *a, struct err *e)
{
	auto_strv char **filters = image_filters(a);
	const struct prune what = {
		.path = "/images/prune",
		.warning = arg_bool(a, "all") ? "This will remove all images without at least one "
						"container associated to them."
					      : "This will remove all dangling images.",
		.key = "ImagesDeleted",
		.title = "Deleted Images:",
		.space = true,
		.filters = filters,
	};

	return prune(cli, a, &what, e);
}

const struct command cmd_image_prune = {
	.summary = "Remove unused images",
	.tables = {OPT_TABLE(image_prune_options)},
	.run = image_prune,
};

/* ---- system prune ---- */

static const struct opt system_prune_options[] = {
	OPT_SWITCH('a', "all", "Remove all unused images, not just dangling ones"),
	OPT_LIST(0, "filter", "filter", "Only what fits (e.g. \"label=<key>=<value>\")"),
	OPT_SWITCH('f', "force", "Do not ask for confirmation"),
	OPT_SWITCH(0, "volumes", "Prune anonymous volumes, too"),
};

static bool confirmed(const struct args *a)
{
	(void)printf("WARNING! This will remove:\n"
		     "  - all stopped containers\n"
		     "  - all networks not used by at least one container\n");
	if (arg_bool(a, "volumes"))
		(void)printf("  - all anonymous volumes not used by at least one container\n");
	(void)printf("  - all %s\n  - unused build cache\n\n",
		     arg_bool(a, "all") ? "images without at least one container associated to them"
					: "dangling images");
	return cli_confirm(NULL);
}

static int system_prune(struct cli *cli, const struct args *a, struct err *e)
{
	auto_strv char **images = image_filters(a);
	char *const *given = arg_list(a, "filter");
	const struct prune parts[] = {
		{"/containers/prune", NULL, "ContainersDeleted", "Deleted Containers:", true,
		 given},
		{"/networks/prune", NULL, "NetworksDeleted", "Deleted Networks:", false, given},
		{"/volumes/prune", NULL, "VolumesDeleted", "Deleted Volumes:", true, given},
		{"/images/prune", NULL, "ImagesDeleted", "Deleted Images:", true, images},
		{"/build/prune", NULL, "CachesDeleted", "Deleted build cache objects:", true,
		 given},
	};
	auto_buf struct buf text = BUF_INIT(64);
	int64_t sum = 0;

	for (char *const *f = given; f && *f && arg_bool(a, "volumes"); f++)
		if (str_has_prefix(*f, "until="))
			return err_invalid(e, "The \"until\" filter is not supported with "
					      "\"--volumes\"");
	if (!arg_bool(a, "force") && !confirmed(a))
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		int r = streq(parts[i].path, "/volumes/prune") && !arg_bool(a, "volumes")
				? 0
				: prune_part(cli, &parts[i], &sum, e);

		if (r < 0)
			return r;
	}
	human_size(&text, sum, 4);
	(void)printf("Total reclaimed space: %s\n", buf_str(&text));
	return 0;
}

const struct command cmd_system_prune = {
	.summary = "Remove unused data",
	.tables = {OPT_TABLE(system_prune_options)},
	.run = system_prune,
};
