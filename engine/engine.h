/* engine.h: the process that runs tasks. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

/* Descriptors that the agent gives an engine. */
#define ENGINE_CHANNEL_FD 3
#define ENGINE_PAGE_FD	  4
#define ENGINE_ARENA_FD	  5
#define ENGINE_LOG_FD	  6
#define ENGINE_OUTPUT_FD  7 /* as its stdout and stderr, which tasks may redirect */

/* The whole life of an engine process; returns its exit status. */
int engine_run(int channel_fd);

#endif
