/* SPDX-License-Identifier: GPL-2.0-or-later */
/* atoll-shim.c - the main of the program that stands beside a container or exec */

#include "shim/shim.h"

int main(int argc, char **argv)
{
	return shim_main(argc, argv);
}
