/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_idmap.c - subuid(5): whose ranges are whose, and what is no line */

#include "base/idmap.h"
#include "base/str.h"
#include "tap.h"

/* the map of user "web" (1000), or "" */
static const char *map_of(const char *text)
{
	static char out[16384];
	static struct idmap m;
	auto_buf struct buf b = BUF_INIT(sizeof(out) - 1);

	if (idmap_parse(text, "web", 1000, &m) < 0 || idmap_text(&m, &b) < 0)
		return "no memory";
	(void)snprintf(out, sizeof(out), "%s", buf_str(&b));
	return out;
}

static const struct {
	const char *text, *map, *what;
} rows[] = {
	{"", "", "no text"},
	{"web:100000:65536\n", "0 100000 65536\n", "one"},
	{"web:100000:65536", "0 100000 65536\n", "without a line's end"},
	{"1000:5:6\n", "0 5 6\n", "by number"},
	{"webs:1:1\nweb2:1:1\n100:1:1\n", "", "others"},
	{"a:1:1\nweb:7:3\nb:1:1\n1000:90:1\nweb:20:2\n", "0 7 3\n3 90 1\n4 20 2\n",
	 "several, in their order, one after the other inside"},
	{"web:1\nweb\nweb::\nweb:1:\nweb:x:1\nweb:1:x\nweb:-1:1\nweb:1:1:1\n#web:1:1\n", "",
	 "what is no line"},
	{"web:1:0\n", "", "none of them"},
	{"web:4294967294:1\n", "0 4294967294 1\n", "the last id"},
	{"web:4294967294:2\nweb:4294967295:1\n", "", "beyond it"},
	{"web:1:4294967294\nweb:9:2\n", "0 1 4294967294\n", "beyond it inside"},
	{" web:1:1\nweb :1:1\n", "", "spaces are of the name"},
};

static void many(void)
{
	auto_buf struct buf b = BUF_INIT(1 << 20);
	struct idmap m;

	for (int i = 0; i < IDMAP_MAX + 10; i++)
		(void)buf_printf(&b, "web:%d:2\n", 10 + 3 * i);
	is_int(idmap_parse(buf_str(&b), "web", 1000, &m), 0, "many");
	is_int(m.n, IDMAP_MAX, "no more than the kernel takes");
	is_int(idmap_size(&m), 2 * IDMAP_MAX, "so many ids");
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		is_str(map_of(rows[i].text), rows[i].map, "%s", rows[i].what);
	many();
	return tap_done();
}
