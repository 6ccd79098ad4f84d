/* SPDX-License-Identifier: GPL-2.0-or-later */
/* atoll-helper.c - the confined, short-lived process that reads foreign archives */
#include "image/helper.h"

int main(int argc, char **argv)
{
	_exit(helper_main(argc, argv)); /* nothing buffered; exit handlers need what was given up */
}
