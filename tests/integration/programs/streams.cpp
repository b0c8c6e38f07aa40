// streams.cpp: a client program in C++; its task prints by each of the streams.
#include <iostream>
#include <xcluster.h>

static int print(struct xc_task *task, const void *, void *)
{
	std::cout << "cout " << xc_task_index(task) << std::endl;
	std::cerr << "cerr " << 1.5 << "\n";
	std::clog << "clog\n";
	std::cout << "held back";
	return 0;
}

int main()
{
	struct xc_error err = XC_ERROR_INIT;
	struct xc_client *client;
	xc_map_options options = XC_MAP_OPTIONS_INIT;

	options.output = true;
	if (xc_open(&client, nullptr, &err) < 0 ||
	    xc_map_range(xc_balanced(client), print, 3, nullptr, 0, &options, &err) < 0) {
		std::cerr << err.text << "\n";
		return 1;
	}
	xc_close(client);
	return 0;
}
