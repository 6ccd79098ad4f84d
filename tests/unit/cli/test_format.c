/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_format.c - sizes, spans, columns, ports */

#include "base/clock.h"
#include "base/json.h"
#include "cli/format.h"
#include "cli/ports.h"
#include "cli/units.h"
#include "tap.h"

static void sizes(void)
{
	static const struct {
		int64_t bytes;
		int digits;
		const char *want;
	} t[] = {{0, 3, "0B"},
		 {999, 3, "999B"},
		 {1000, 3, "1kB"},
		 {4261550, 3, "4.26MB"},
		 {1985000, 4, "1.985MB"},
		 {77800000, 3, "77.8MB"},
		 {1230000000, 3, "1.23GB"}};
	auto_buf struct buf b = BUF_INIT(64);

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		buf_clear(&b);
		human_size(&b, t[i].bytes, t[i].digits);
		is_str(buf_str(&b), t[i].want, "size");
	}
	buf_clear(&b);
	human_binary(&b, 2095992832);
	is_str(buf_str(&b), "1.952GiB", "binary size");
}

static void spans(void)
{
	static const struct {
		int64_t s;
		const char *want;
	} t[] = {{0, "Less than a second"}, {1, "1 second"},	      {59, "59 seconds"},
		 {60, "About a minute"},    {125, "2 minutes"},	      {3600, "About an hour"},
		 {3 * 3600, "3 hours"},	    {47 * 3600, "47 hours"},  {48 * 3600, "2 days"},
		 {15 * 86400, "2 weeks"},   {70 * 86400, "2 months"}, {800 * 86400, "2 years"}};
	auto_buf struct buf b = BUF_INIT(64);

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		buf_clear(&b);
		human_span(&b, t[i].s * NS_PER_S);
		is_str(buf_str(&b), t[i].want, "span");
	}
}

static void moments(void)
{
	auto_buf struct buf b = BUF_INIT(64);

	(void)setenv("TZ", "UTC", 1);
	human_moment(&b, 1700000000LL * NS_PER_S);
	is_str(buf_str(&b), "2023-11-14 22:13:20 +0000 UTC", "moment");
	buf_clear(&b);
	human_rfc3339(&b, 1700000000LL * NS_PER_S + 5);
	is_str(buf_str(&b), "2023-11-14T22:13:20.000000005Z", "in RFC 3339");
}

static void columns(void)
{
	auto_buf struct buf b = BUF_INIT(4096);

	columns_align(&b, "ID\tNAME\tX\n1\tlonger name\ty\n");
	is_str(buf_str(&b),
	       "ID        NAME          X\n"
	       "1         longer name   y\n",
	       "columns: ten wide at least, three between, none behind the last");
	buf_clear(&b);
	columns_align(&b, "a\xe2\x80\xa6\xe2\x80\xa6\xe2\x80\xa6\xe2\x80\xa6\xe2\x80\xa6\xe2\x80"
			  "\xa6x\tb\n1\tc\n");
	is_str(buf_str(&b),
	       "a\xe2\x80\xa6\xe2\x80\xa6\xe2\x80\xa6\xe2\x80\xa6\xe2\x80\xa6\xe2\x80\xa6x   b\n"
	       "1          c\n",
	       "characters count, not bytes");
}

static void ports(void)
{
	static const struct {
		const char *json, *want;
	} t[] = {
		{"[]", ""},
		{"[{\"PrivatePort\":80,\"Type\":\"tcp\"}]", "80/tcp"},
		{"[{\"IP\":\"0.0.0.0\",\"PrivatePort\":80,\"PublicPort\":8080,\"Type\":\"tcp\"}]",
		 "0.0.0.0:8080->80/tcp"},
		{"[{\"IP\":\"::\",\"PrivatePort\":80,\"PublicPort\":8080,\"Type\":\"tcp\"}]",
		 "[::]:8080->80/tcp"},
		{"[{\"PrivatePort\":82,\"Type\":\"tcp\"},{\"PrivatePort\":80,\"Type\":\"tcp\"},"
		 "{\"PrivatePort\":81,\"Type\":\"tcp\"},{\"PrivatePort\":81,\"Type\":\"udp\"}]",
		 "80-82/tcp, 81/udp"},
		{"[{\"IP\":\"1.2.3.4\",\"PrivatePort\":90,\"PublicPort\":9000,\"Type\":\"tcp\"},"
		 "{\"IP\":\"1.2.3.4\",\"PrivatePort\":91,\"PublicPort\":9001,\"Type\":\"tcp\"},"
		 "{\"IP\":\"1.2.3.4\",\"PrivatePort\":92,\"PublicPort\":9009,\"Type\":\"tcp\"},"
		 "{\"PrivatePort\":5,\"Type\":\"tcp\"}]",
		 "5/tcp, 1.2.3.4:9000-9001->90-91/tcp, 1.2.3.4:9009->92/tcp"},
	};
	auto_buf struct buf b = BUF_INIT(4096);

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		auto_json json_t *j = NULL;

		if (json_read(t[i].json, strlen(t[i].json), &j, NULL) < 0)
			abort();
		buf_clear(&b);
		ports_text(&b, j);
		is_str(buf_str(&b), t[i].want, "ports");
	}
}

static void ids(void)
{
	char out[80];

	is_str(short_id("sha256:0123456789abcdef", false, out), "0123456789ab", "short");
	is_str(short_id("0123456789abcdef", false, out), "0123456789ab", "without a digest's name");
	is_str(short_id("sha256:0123", true, out), "sha256:0123", "whole");
}

int main(void)
{
	sizes();
	spans();
	moments();
	columns();
	ports();
	ids();
	return tap_done();
}
