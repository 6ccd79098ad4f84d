/* SPDX-License-Identifier: GPL-2.0-or-later */
/* atoll-registry.c - the registry client, confined; a program of its own for what it links */
#include <unistd.h>

#include "image/registry.h"

int main(int argc, char **argv)
{
	_exit(registry_main(argc,
			    argv)); /* nothing buffered; exit handlers need what was given up */
}
