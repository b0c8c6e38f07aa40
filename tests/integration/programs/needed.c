/* needed.c: what a library of tasks may need. */
int needed(void);

int needed(void)
{
	return VERSION;
}
