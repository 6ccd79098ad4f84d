/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_stats.c - the kernel's files of figures, of v1 and v2; lists of CPUs */

#include <string.h>

#include "runtime/control.h"
#include "runtime/stats.h"
#include "tap.h"

static void flat(void)
{
	static const char text[] = "nr_periods 12\nnr_throttled 3\nthrottled_time 450000\nodd\n";
	uint64_t n = 7;

	ok(stats_value(text, "nr_throttled", &n) && n == 3, "a key in the middle");
	ok(stats_value(text, "nr_periods", &n) && n == 12, "the first");
	n = 7;
	ok(!stats_value(text, "nr", &n) && n == 7, "no key by its beginning");
	ok(!stats_value(text, "odd", &n), "a key without a number");
	ok(!stats_value("", "x", &n), "nothing");
	is_int(stats_number("4096\n"), 4096, "one number");
	ok(stats_number("max\n") == STAT_NO_LIMIT, "max");
	ok(stats_number("18446744073709551615\n") == UINT64_MAX, "the largest");
	is_int(stats_number("18446744073709551616\n"), 0, "one more");
	is_int(stats_number("nonsense"), 0, "no number");
	is_int(stats_number(""), 0, "an empty file");
}

static void memory(void)
{
	struct rt_stats s = {0};

	is_int(stats_memory("cache 100\nrss 200\nbroken\nhierarchical_memory_limit "
			    "9223372036854771712\ntotal_inactive_file 50\n",
			    &s),
	       0, "memory.stat");
	is_int(s.n_memory_stat, 4, "lines with a number");
	is_str(s.memory_stat[3].name, "total_inactive_file", "the name");
	is_int(s.memory_stat[3].value, 50, "the value");
	rt_stats_done(&s);
	ok(!s.memory_stat && !s.n_memory_stat, "freed");
}

static void many_lines(void)
{
	struct rt_stats s = {0};
	char text[16 * 1024];
	size_t n = 0;

	for (int i = 0; i < 500; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "key%d %d\n", i, i);
	is_int(stats_memory(text, &s), 0, "more lines than are kept");
	is_int(s.n_memory_stat, STAT_MEMORY_MAX, "bounded");
	rt_stats_done(&s);
}

static void cpus(void)
{
	struct stat_cpu c = {0}, copy = {0};

	is_int(stats_percpu("10 20 30 \n", &c), 0, "cpuacct.usage_percpu");
	ok(c.n_percpu == 3 && c.percpu[2] == 30, "three of them");
	c.total = 60;
	is_int(stat_cpu_copy(&c, &copy), 0, "copied");
	ok(copy.total == 60 && copy.n_percpu == 3 && copy.percpu != c.percpu &&
		   copy.percpu[1] == 20,
	   "with an array of its own");
	stat_cpu_done(&c);
	stat_cpu_done(&copy);
	is_int(stats_host_ticks("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 1 1 1\n"), 28,
	       "seven columns; steal and guests are in others");
	is_int(stats_host_ticks("intr 5\n"), 0, "no such line");
}

static void io_v1(void)
{
	struct stat_io *v = NULL;
	size_t n = 0;

	is_int(stats_io_v1("8:0 Read 4096\n8:0 Write 8192\n254:16 Sync 1\nbad Read 1\n8:x Read "
			   "1\nTotal 12288\n",
			   &v, &n),
	       0, "io_service_bytes");
	is_int(n, 3, "without the sum and what is broken");
	ok(v[0].major == 8 && v[0].minor == 0 && v[0].value == 4096, "numbers");
	is_str(v[1].op, "Write", "the operation");
	ok(v[2].major == 254 && v[2].minor == 16, "another device");
	free(v);
}

static void io_v2(void)
{
	struct rt_stats s = {0};

	is_int(stats_io_v2("8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n"
			   "254:0 rbytes=5 wbytes= rios=x wios=3\n8:16\n",
			   &s),
	       0, "io.stat");
	is_int(s.n_io_bytes, 3, "bytes");
	is_int(s.n_io_count, 3, "operations");
	is_str(s.io_bytes[1].op, "write", "in small letters");
	ok(s.io_bytes[1].value == 20 && s.io_count[2].value == 3 && s.io_count[2].major == 254,
	   "values");
	rt_stats_done(&s);
}

static void links(void)
{
	static const char text[] =
		"Inter-|   Receive                                                |  Transmit\n"
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
		"packets\n"
		"    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n"
		"  eth0: 100 2 3 4 0 0 0 0 500 6 7 8 0 0 0 0\n"
		"eth1:18446744073709551615 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\n"
		"short: 1 2 3\n";
	struct rt_stats s = {0};

	is_int(stats_links(text, &s), 0, "net/dev");
	is_int(s.n_links, 2, "without the loopback and what is broken");
	is_str(s.links[0].name, "eth0", "the name");
	ok(s.links[0].rx_bytes == 100 && s.links[0].rx_packets == 2 && s.links[0].rx_errors == 3 &&
		   s.links[0].rx_dropped == 4,
	   "received");
	ok(s.links[0].tx_bytes == 500 && s.links[0].tx_packets == 6 && s.links[0].tx_errors == 7 &&
		   s.links[0].tx_dropped == 8,
	   "sent");
	ok(s.links[1].rx_bytes == UINT64_MAX, "without a blank, and large");
	rt_stats_done(&s);
}

static void lists(void)
{
	static const struct {
		const char *list, *have;
		int r;
		bool within;
	} rows[] = {
		{"0", "0-3", 0, true},	       {"0-3", "0-3", 0, true},
		{"1,3", "0-1,3", 0, true},     {"2", "0-1,3", 0, false},
		{"0-4", "0-3", 0, false},      {"", "0", 0, true},
		{"x", "0-3", -EINVAL, false},  {"3-1", "0-3", -EINVAL, false},
		{"1-", "0-3", -EINVAL, false}, {"99999", "0", -EINVAL, false},
		{"7", "", 0, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool within = false;
		int r = cpu_list_within(rows[i].list, rows[i].have, &within);

		ok(r == rows[i].r && (r < 0 || within == rows[i].within), "\"%s\" of \"%s\"",
		   rows[i].list, rows[i].have);
	}
}

int main(void)
{
	struct rt_stats s;

	flat();
	memory();
	many_lines();
	cpus();
	io_v1();
	io_v2();
	links();
	lists();
	is_int(rt_stats_read("/atoll-never-made", 0, &s), -ENOENT, "a group that is not there");
	return tap_done();
}
