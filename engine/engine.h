/* engine.h: the process that runs tasks. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

/* Descriptors that the agent gives an engine. */
#define ENGINE_CHANNEL_FD 3
#define ENGINE_PAGE_FD	  4
#define ENGINE_ARENA_FD	  5

/* The whole life of an engine process; returns its exit status. */
int engine_run(int channel_fd);

#endif
