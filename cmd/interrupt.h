/* interrupt.h: Ctrl-C and its like, as a descriptor and a flag. */
#ifndef CMD_INTERRUPT_H
#define CMD_INTERRUPT_H

#include <stdbool.h>

/* From now on SIGINT, SIGTERM and SIGHUP end nothing, but make the descriptor
 * that is returned readable (-errno). Calls that wait return early. */
int interrupt_catch(void);

/* The signal that came first; 0: none. */
int interrupt_signal(void);

/* Dies of that signal, so that the shell sees what has happened. */
void interrupt_die(void) __attribute__((noreturn));

#endif
