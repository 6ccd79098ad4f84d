/* SPDX-License-Identifier: GPL-2.0-or-later */
/* atoll.c - the command line: a client of the Engine API with docker's words (src/cli) */

#include <signal.h>
#include <stddef.h>

#include "cli/cli.h"

int main(int argc, char **argv)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	/* a reader that has gone shows as EPIPE, after the terminal is restored */
	(void)sigaction(SIGPIPE, &ignore, NULL);
	return cli_main(argc, argv);
}
