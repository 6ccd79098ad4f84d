/* SPDX-License-Identifier: GPL-2.0-or-later */
/* progress bars as Docker draws them (pkg/jsonmessage) */

#include "api/progress.h"
#include "tap.h"

static const struct {
	int64_t current, total;
	const char *bar;
} bars[] = {
	{0, 0, ""},
	{512, 0, "    512B"},
	{1, 100, "[>                                                  ]       1B/100B"},
	{50, 100, "[=========================>                         ]      50B/100B"},
	{100, 100, "[==================================================>]     100B/100B"},
	{200, 100, "    200B"},
	{1500, 3000000, "[>                                                  ]    1.5kB/3MB"},
	{2097152, 4194304,
	 "[=========================>                         ]  2.097MB/4.194MB"},
};

int main(void)
{
	char out[160];

	for (size_t i = 0; i < ARRAY_SIZE(bars); i++) {
		progress_bar(bars[i].current, bars[i].total, out, sizeof(out));
		is_str(out, bars[i].bar, "%" PRId64 " of %" PRId64, bars[i].current, bars[i].total);
	}
	return tap_done();
}
