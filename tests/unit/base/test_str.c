/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_str.c - strict numbers, sizes, lists; random ids and digests */

#include "base/rand.h"
#include "base/str.h"
#include "tap.h"

static void numbers(void)
{
	static const struct {
		const char *text;
		int r16, r32, r64, ri64;
		int64_t value;
	} rows[] = {
		{"0", 0, 0, 0, 0, 0},
		{"007", 0, 0, 0, 0, 7},
		{"65535", 0, 0, 0, 0, 65535},
		{"65536", -ERANGE, 0, 0, 0, 65536},
		{"4294967295", -ERANGE, 0, 0, 0, 4294967295},
		{"4294967296", -ERANGE, -ERANGE, 0, 0, 4294967296},
		{"9223372036854775807", -ERANGE, -ERANGE, 0, 0, INT64_MAX},
		{"9223372036854775808", -ERANGE, -ERANGE, 0, -ERANGE, INT64_MIN},
		{"18446744073709551615", -ERANGE, -ERANGE, 0, -ERANGE, -1},
		{"18446744073709551616", -ERANGE, -ERANGE, -ERANGE, -ERANGE, 0},
		{"-1", -EINVAL, -EINVAL, -EINVAL, 0, -1},
		{"-9223372036854775808", -EINVAL, -EINVAL, -EINVAL, 0, INT64_MIN},
		{"-9223372036854775809", -EINVAL, -EINVAL, -EINVAL, -ERANGE, 0},
		{"", -EINVAL, -EINVAL, -EINVAL, -EINVAL, 0},
		{NULL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, 0},
		{"-", -EINVAL, -EINVAL, -EINVAL, -EINVAL, 0},
		{"+1", -EINVAL, -EINVAL, -EINVAL, -EINVAL, 0},
		{" 1", -EINVAL, -EINVAL, -EINVAL, -EINVAL, 0},
		{"1 ", -EINVAL, -EINVAL, -EINVAL, -EINVAL, 0},
		{"0x10", -EINVAL, -EINVAL, -EINVAL, -EINVAL, 0},
		{"1e3", -EINVAL, -EINVAL, -EINVAL, -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint16_t a = 77;
		uint32_t b = 77;
		uint64_t c = 77;
		int64_t d = 77;
		bool good = parse_u16(rows[i].text, &a) == rows[i].r16 &&
			    a == (rows[i].r16 ? 77 : (uint16_t)rows[i].value);

		good = good && parse_u32(rows[i].text, &b) == rows[i].r32 &&
		       b == (rows[i].r32 ? 77 : (uint32_t)rows[i].value);
		good = good && parse_u64(rows[i].text, &c) == rows[i].r64 &&
		       c == (rows[i].r64 ? 77 : (uint64_t)rows[i].value);
		good = good && parse_i64(rows[i].text, &d) == rows[i].ri64 &&
		       d == (rows[i].ri64 ? 77 : rows[i].value);
		ok(good, "the number %s", rows[i].text ? rows[i].text : "(none)");
	}
}

static void bools(void)
{
	static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"},
				 *const no[] = {"0", "f", "F", "FALSE", "false", "False"},
				 *const neither[] = {"", "yes", "on", "tRUE", "2", " 1", NULL};
	bool b;

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		b = false;
		ok(parse_bool(yes[i], &b) == 0 && b, "%s is true", yes[i]);
		ok(parse_bool(no[i], &b) == 0 && !b, "%s is false", no[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(neither); i++)
		is_int(parse_bool(neither[i], &b), -EINVAL, "%s is neither",
		       neither[i] ? neither[i] : "(none)");
}

/* docker/go-units RAMInBytes */
static void sizes(void)
{
	static const struct {
		const char *text;
		int r;
		int64_t bytes;
	} rows[] = {
		{"32", 0, 32},
		{"32b", 0, 32},
		{"32B", 0, 32},
		{"32k", 0, 32 << 10},
		{"32K", 0, 32 << 10},
		{"32kb", 0, 32 << 10},
		{"32KiB", 0, 32 << 10},
		{"64m", 0, 64 << 20},
		{"1g", 0, 1 << 30},
		{"32Gb", 0, 32ll << 30},
		{"32Tb", 0, 32ll << 40},
		{"8Pb", 0, 8ll << 50},
		{"32.5 MB", 0, (32ll << 20) + (1 << 19)},
		{"1.5GiB", 0, 3ll << 29},
		{"0.5", 0, 0},
		{"1.999999p", 0, (1ll << 50) + 1125898780942717},
		{"8191p", 0, 8191ll << 50},
		{"8192p", -ERANGE, 0},
		{"99999999999999999999", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"hello", -EINVAL, 0},
		{"-32", -EINVAL, 0},
		{" 32", -EINVAL, 0},
		{"32m b", -EINVAL, 0},
		{"32bm", -EINVAL, 0},
		{"32x", -EINVAL, 0},
		{"32kk", -EINVAL, 0},
		{NULL, -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t got = 0;
		int r = parse_ram(rows[i].text, &got);

		is_int(r, rows[i].r, "the size %s", rows[i].text ? rows[i].text : "(none)");
		is_int(got, rows[i].bytes, "in bytes");
	}
}

static void texts(void)
{
	char *s = NULL;

	ok(streq("a", "a") && !streq("a", "b") && streq(NULL, NULL) && !streq(NULL, ""), "streq");
	ok(str_empty(NULL) && str_empty("") && !str_empty(" "), "str_empty");
	ok(str_has_prefix("abc", "ab") && str_has_prefix("abc", "") && !str_has_prefix("a", "ab") &&
		   !str_has_prefix(NULL, "a"),
	   "str_has_prefix");
	ok(str_has_suffix("abc", "bc") && str_has_suffix("abc", "") && !str_has_suffix("c", "bc") &&
		   !str_has_suffix(NULL, ""),
	   "str_has_suffix");
	ok(str_is_hex("09af") && !str_is_hex("") && !str_is_hex("A") && !str_is_hex("0g") &&
		   !str_is_hex(NULL),
	   "str_is_hex");
	ok(str_set(&s, "one") == 0 && str_set(&s, "two") == 0 && streq(s, "two"), "str_set");
	ok(str_set(&s, NULL) == 0 && !s, "to nothing");
}

static void lists(void)
{
	auto_strv char **v = NULL, **copy = NULL, **parts = NULL;

	is_int(strv_len(v), 0, "no list is the empty one");
	ok(strv_add(&v, "a") == 0 && strv_add(&v, "") == 0 && strv_addf(&v, "%d", 7) == 0, "added");
	is_int(strv_add_unique(&v, "a"), 0, "once is enough");
	is_int(strv_add_unique(&v, "b"), 1, "a new one is added");
	ok(strv_len(v) == 4 && streq(v[1], "") && streq(v[2], "7") && streq(v[3], "b"), "in order");
	ok(strv_has(v, "7") && !strv_has(v, "8") && !strv_has(NULL, "7"), "found");
	copy = strv_copy(v);
	ok(strv_len(copy) == 4 && copy[0] != v[0] && streq(copy[0], "a"), "copied");
	ok(!strv_copy(NULL), "a copy of none is none");
	ok(strv_split("a,,b;", ",;", &parts) == 0 && strv_len(parts) == 4 && streq(parts[1], "") &&
		   streq(parts[2], "b") && streq(parts[3], ""),
	   "split with its empty parts");
}

static void randomness(void)
{
	char a[ID_LEN + 1], b[ID_LEN + 1], sum[65];
	unsigned seen[3] = {0};

	rand_id(a);
	rand_id(b);
	ok(strlen(a) == ID_LEN && str_is_hex(a) && !streq(a, b), "ids");
	for (int i = 0; i < 2000; i++) {
		rand_id(a);
		if (strspn(a, "0123456789") >= 12)
			break;
	}
	ok(strspn(a, "0123456789") < 12, "whose first 12 digits are never all decimal");
	for (int i = 0; i < 3000; i++)
		seen[rand_below(3)]++;
	ok(seen[0] > 800 && seen[1] > 800 && seen[2] > 800, "numbers below 3");
	sha256_hex("abc", 3, sum); /* FIPS 180-2, B.1 */
	is_str(sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "sha256");
	sha256_hex("", 0, sum);
	is_str(sum, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "of none");
}

int main(void)
{
	numbers();
	bools();
	sizes();
	texts();
	lists();
	randomness();
	return tap_done();
}
