/* engines_stdin.h: xcluster engines --connection -: the remote half of a launcher. */
#ifndef CMD_ENGINES_STDIN_H
#define CMD_ENGINES_STDIN_H

#include <stdbool.h>

#include "cmd/command.h"

/* Takes the connection from stdin and starts an agent; see engines_stdin.c. The exit
 * status of the command. */
int engines_from_stdin(const struct engine_options *options, bool stay);

#endif
