/* l_sys.h: what sys/ tells the Lua table `sys` before the state is made. */
#pragma once

/* The data folder, absolute or relative to the working directory. Copied. NULL = none (tests): nothing can be written. */
void bind_sys_data_dir(const char *path);
