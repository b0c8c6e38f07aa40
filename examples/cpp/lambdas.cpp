/* lambdas.cpp: lambdas as tasks. One that captures nothing is a function; what it needs it
 * gets as input, or as pushed data. An exception must not leave it: see guarded(). */
#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>
#include <xcluster.h>

namespace
{

/* Handles that give back what they hold. */
struct giving_back {
	void operator()(xc_client *client) const
	{
		xc_close(client);
	}
	void operator()(xc_result *result) const
	{
		xc_result_destroy(result);
	}
};
using client_handle = std::unique_ptr<xc_client, giving_back>;
using result_handle = std::unique_ptr<xc_result, giving_back>;

xc_error err = XC_ERROR_INIT;

void check(bool ok)
{
	if (!ok)
		throw std::runtime_error(err.text);
}

client_handle open()
{
	xc_client *client = nullptr;

	check(xc_open(&client, nullptr, &err) == 0);
	return client_handle(client);
}

/* Runs f; what it throws is how the item fails. */
template <typename F> int guarded(xc_task *task, F f)
{
	try {
		f();
		return 0;
	} catch (const std::exception &e) {
		return xc_task_fail(task, "%s", e.what());
	}
}

struct interval {
	double from, to;
};

/* The area under 4 / (1 + x * x), in pieces: an item is an element of a vector. */
void areas(xc_client *client)
{
	std::vector<interval> pieces;
	std::vector<double> parts(100);
	double sum = 0;

	for (int i = 0; i < 100; i++)
		pieces.push_back({ i / 100.0, (i + 1) / 100.0 });
	auto area = [](xc_task *, const void *in, void *out) {
		auto piece = static_cast<const interval *>(in);
		double width = (piece->to - piece->from) / 1000, total = 0;

		for (int i = 0; i < 1000; i++) {
			double x = piece->from + (i + 0.5) * width;

			total += 4 / (1 + x * x) * width;
		}
		*static_cast<double *>(out) = total;
		return 0;
	};
	check(xc_map(xc_balanced(client), area, pieces.data(), sizeof(interval), 100, parts.data(),
		     sizeof(double), nullptr, &err) == 0);
	for (double part : parts)
		sum += part;
	std::printf("pi is about %.6f\n", sum);
}

/* The median of pushed data, with the algorithms of the library, on every engine. */
void medians(xc_client *client)
{
	const std::vector<double> y = { 3, 1, 4, 1, 5, 9, 2, 6, 5 };
	std::vector<double> out(static_cast<size_t>(xc_view_size(xc_all(client))));

	check(xc_push(xc_all(client), "y", XC_ARRAY_F64(y.data(), y.size()), &err) == 0);
	auto find = [](xc_task *task, const void *, void *median) {
		return guarded(task, [=] {
			const xc_array *array = xc_task_array(task, "y");

			if (!array)
				throw std::runtime_error("there is no y");
			auto data = static_cast<const double *>(array->data);
			std::vector<double> sorted(data, data + xc_array_count(array));
			std::sort(sorted.begin(), sorted.end());
			*static_cast<double *>(median) = sorted.at(sorted.size() / 2);
		});
	};
	check(xc_apply(xc_all(client), find, nullptr, 0, out.data(), sizeof(double), nullptr,
		       &err) == 0);
	bool same = std::all_of(out.begin(), out.end(), [&](double m) { return m == out[0]; });
	std::printf("the median is %g%s\n", out.at(0), same ? ", say all engines" : "");
}

/* Texts to numbers: one of them is none, and the item fails with what was thrown. */
void numbers(xc_client *client)
{
	const std::string texts[] = { "1.5", "2e3", "many", "-4" };
	std::vector<xc_bytes> items;
	double out[4];

	for (const std::string &text : texts)
		items.push_back({ text.data(), text.size() });
	auto read = [](xc_task *task, const void *in, void *number) {
		return guarded(task, [=] {
			std::string text(static_cast<const char *>(in), xc_task_in_size(task));

			if (!(std::istringstream(text) >> *static_cast<double *>(number)))
				throw std::invalid_argument("this is no number");
		});
	};
	result_handle result(xc_map_packed_async(xc_balanced(client), read, items.data(), 4, out,
						 sizeof *out, nullptr, &err));
	check(result != nullptr);
	xc_wait(result.get(), -1, &err);
	for (int i = 0; i < 4; i++)
		if (xc_item_state(result.get(), i) == XC_OK)
			std::printf("'%s' is %g\n", texts[i].c_str(), out[i]);
	for (int64_t i = 0; i < xc_failure_count(result.get()); i++) {
		struct xc_failure failure;

		if (xc_failure(result.get(), i, &failure) == 0)
			std::printf("'%s' %s: %s\n", texts[failure.first].c_str(),
				    xc_state_name(failure.state), failure.text);
	}
}

} // namespace

int main()
{
	try {
		client_handle client = open();

		areas(client.get());
		medians(client.get());
		numbers(client.get());
		return 0;
	} catch (const std::exception &e) {
		std::fprintf(stderr, "lambdas: %s\n", e.what());
		return 1;
	}
}
