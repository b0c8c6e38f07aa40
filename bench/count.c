/* count.c: a library to preload: counts messages and allocations of its process. */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <zmq.h>

#include "bench/count.h"

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

static struct tally *own;
static struct {
	uintptr_t low, high;
} theirs[2]; /* code of libzmq and libstdc++ */
static int theirs_count;

static int find_libraries(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	(void)data;
	if (!strstr(info->dlpi_name, "libzmq") && !strstr(info->dlpi_name, "libstdc++"))
		return 0;
	for (int i = 0; i < info->dlpi_phnum && theirs_count < 2; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		theirs[theirs_count].low = info->dlpi_addr + p->p_vaddr;
		theirs[theirs_count++].high = info->dlpi_addr + p->p_vaddr + p->p_memsz;
	}
	return 0;
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("BENCH_COUNT_FILE");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	struct tally *all;

	if (fd < 0)
		return;
	all = mmap(NULL, TALLIES * sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (all == MAP_FAILED)
		return;
	dl_iterate_phdr(find_libraries, NULL);
	for (int i = 0; i < TALLIES; i++) {
		int32_t none = 0;

		if (atomic_compare_exchange_strong(&all[i].pid, &none, getpid())) {
			own = &all[i];
			break;
		}
	}
}

static void add(enum count count)
{
	if (own)
		atomic_fetch_add_explicit(&own->counts[count], 1, memory_order_relaxed);
}

static void add_allocation(const void *caller)
{
	enum count count = COUNT_ALLOCATIONS;

	for (int i = 0; i < theirs_count; i++)
		if ((uintptr_t)caller >= theirs[i].low && (uintptr_t)caller < theirs[i].high)
			count = COUNT_ALLOCATIONS_ZMQ;
	add(count);
}

void *malloc(size_t size)
{
	add_allocation(__builtin_return_address(0));
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	add_allocation(__builtin_return_address(0));
	return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
	add_allocation(__builtin_return_address(0));
	return __libc_realloc(memory, size);
}

static void add_part(int flags)
{
	add(COUNT_PARTS);
	if (!(flags & ZMQ_SNDMORE))
		add(COUNT_MESSAGES);
}

int zmq_send(void *socket, const void *data, size_t size, int flags)
{
	static int (*real)(void *, const void *, size_t, int);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "zmq_send");
	add_part(flags);
	return real(socket, data, size, flags);
}

int zmq_msg_send(zmq_msg_t *message, void *socket, int flags)
{
	static int (*real)(zmq_msg_t *, void *, int);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "zmq_msg_send");
	add_part(flags);
	return real(message, socket, flags);
}
