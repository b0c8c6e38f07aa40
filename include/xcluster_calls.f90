! xcluster_calls.f90: constants, types and calls of xcluster.h as they are in C. Programs use
! the module xcluster, which has all of them.
module xcluster_calls
  use, intrinsic :: iso_c_binding
  implicit none
  public

  integer(c_int), parameter :: XC_EFAILED = -2001, XC_ENOCLUSTER = -2002, XC_ELOST = -2003, &
    XC_EPROTO = -2004, XC_ECODE = -2005, XC_ENOVAR = -2006, XC_ENOENGINE = -2007, XC_ESTORE = -2008
  integer(c_int), parameter :: XC_I8 = 0, XC_U8 = 1, XC_I16 = 2, XC_U16 = 3, XC_I32 = 4, &
    XC_U32 = 5, XC_I64 = 6, XC_U64 = 7, XC_F32 = 8, XC_F64 = 9, XC_C64 = 10, XC_C128 = 11
  integer(c_int), parameter :: XC_CONTINUE = 0, XC_STOP = 1
  integer(c_int), parameter :: XC_DISCONNECT_CANCEL = 0, XC_DISCONNECT_KEEP = 1
  integer(c_int), parameter :: XC_CANCEL_QUEUED = 0, XC_CANCEL_RUNNING = 1
  integer(c_int), parameter :: XC_ANY_ORDER = 0, XC_IN_ORDER = 1
  integer(c_int), parameter :: XC_OK = 0, XC_FAILED = 1, XC_CRASHED = 2, XC_TIMED_OUT = 3, &
    XC_CANCELLED = 4, XC_LOST = 5
  integer(c_int), parameter :: XC_PCG64 = 0, XC_PCG64DXSM = 1, XC_PHILOX = 2
  integer(c_int), parameter :: XC_SPAWNED = 0, XC_JUMPED = 1
  integer(c_int), parameter :: XC_REDUCE_OWN = 1, XC_REDUCE_SUM = 2, XC_REDUCE_SUM_EXACT = 3, &
    XC_REDUCE_MOMENTS = 4, XC_REDUCE_MIN = 5, XC_REDUCE_MAX = 6, XC_REDUCE_HISTOGRAM = 7, &
    XC_REDUCE_QUANTILES = 8
  integer(c_int), parameter :: XC_TASK_FAILED = 1
  integer(c_int), parameter :: XC_MAX_DIMS = 8

  type, bind(c) :: xc_error
    integer(c_int) :: code = 0
    character(kind=c_char) :: text(508) = c_null_char
  end type

  type, bind(c) :: xc_array
    integer(c_int) :: dtype = XC_F64, ndim = 0
    integer(c_int64_t) :: shape(XC_MAX_DIMS) = 0
    type(c_ptr) :: data = c_null_ptr
  end type

  type, bind(c) :: xc_map_options
    type(c_ptr) :: function = c_null_ptr, library = c_null_ptr ! c_loc of a text with its zero
    integer(c_int64_t) :: start = 0, step = 0, chunk = 0
    integer(c_int) :: max_attempts = 0
    real(c_double) :: time_limit = 0
    integer(c_int) :: on_failure = XC_CONTINUE
    logical(c_bool) :: at_most_once = .false., progress = .false.
    type(c_ptr) :: label = c_null_ptr
    integer(c_int) :: priority = 0
    integer(c_int) :: on_disconnect = XC_DISCONNECT_CANCEL
    logical(c_bool) :: output = .false.
    integer(c_int64_t) :: seed = 0
    type(c_ptr) :: seed_sequence = c_null_ptr
    integer(c_int) :: bitgen = XC_PCG64, streams = XC_SPAWNED
  end type

  type, bind(c) :: xc_reduction
    integer(c_int) :: kind = 0, dtype = XC_F64
    integer(c_int64_t) :: elements = 0
    integer(c_size_t) :: size = 0
    type(c_funptr) :: combine = c_null_funptr
    type(c_ptr) :: argument = c_null_ptr
    integer(c_size_t) :: argument_size = 0
    integer(c_int64_t) :: bins = 0
    real(c_double) :: low = 0, high = 0
    type(c_ptr) :: probabilities = c_null_ptr
    integer(c_int64_t) :: count = 0
    real(c_double) :: rank_error = 0
  end type

  type, bind(c) :: xc_moments
    integer(c_int64_t) :: count
    real(c_double) :: mean, m2, variance
  end type

  type, bind(c) :: xc_extreme
    integer(c_int64_t) :: value ! of reals: transfer(value, 0.0_c_double)
    integer(c_int64_t) :: index
  end type

  type, bind(c) :: xc_progress
    integer(c_int64_t) :: items, done, failed
  end type

  interface
    subroutine xc_close(client) bind(c)
      import
      type(c_ptr), value :: client
    end subroutine

    integer(c_int) function xc_wait_for_engines(client, n, timeout, err) bind(c)
      import
      type(c_ptr), value :: client
      integer(c_int), value :: n
      real(c_double), value :: timeout
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int) function xc_engine_count(client) bind(c)
      import
      type(c_ptr), value :: client
    end function

    type(c_ptr) function xc_all(client) bind(c)
      import
      type(c_ptr), value :: client
    end function

    type(c_ptr) function xc_balanced(client) bind(c)
      import
      type(c_ptr), value :: client
    end function

    integer(c_int) function xc_engines(client, ids, n, view, err) bind(c)
      import
      type(c_ptr), value :: client
      integer(c_int), intent(in) :: ids(*)
      integer(c_int), value :: n
      type(c_ptr), intent(inout) :: view
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int) function xc_view_size(view) bind(c)
      import
      type(c_ptr), value :: view
    end function

    integer(c_int) function xc_map_range(view, fn, n, out, out_size, options, err) bind(c)
      import
      type(c_ptr), value :: view
      type(c_funptr), value :: fn
      integer(c_int64_t), value :: n
      type(*), intent(inout), optional :: out(*)
      integer(c_size_t), value :: out_size
      type(xc_map_options), intent(in), optional :: options
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int) function xc_map(view, fn, in, in_size, n, out, out_size, options, err) bind(c)
      import
      type(c_ptr), value :: view
      type(c_funptr), value :: fn
      type(*), intent(in) :: in(*)
      integer(c_size_t), value :: in_size
      integer(c_int64_t), value :: n
      type(*), intent(inout), optional :: out(*)
      integer(c_size_t), value :: out_size
      type(xc_map_options), intent(in), optional :: options
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int) function xc_apply(view, fn, in, in_size, out, out_size, options, err) bind(c)
      import
      type(c_ptr), value :: view
      type(c_funptr), value :: fn
      type(*), intent(in), optional :: in(*)
      integer(c_size_t), value :: in_size
      type(*), intent(inout), optional :: out(*)
      integer(c_size_t), value :: out_size
      type(xc_map_options), intent(in), optional :: options
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int64_t) function xc_reduction_size(how, err) bind(c)
      import
      type(xc_reduction), intent(in) :: how
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int) function xc_map_reduce(view, fn, n, how, result, result_size, options, err) &
      bind(c)
      import
      type(c_ptr), value :: view
      type(c_funptr), value :: fn
      integer(c_int64_t), value :: n
      type(xc_reduction), intent(in) :: how
      type(*), intent(inout) :: result(*)
      integer(c_size_t), value :: result_size
      type(xc_map_options), intent(in), optional :: options
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int) function xc_map_reduce_array(view, fn, in, in_size, n, how, result, &
                                                result_size, options, err) bind(c)
      import
      type(c_ptr), value :: view
      type(c_funptr), value :: fn
      type(*), intent(in) :: in(*)
      integer(c_size_t), value :: in_size
      integer(c_int64_t), value :: n
      type(xc_reduction), intent(in) :: how
      type(*), intent(inout) :: result(*)
      integer(c_size_t), value :: result_size
      type(xc_map_options), intent(in), optional :: options
      type(xc_error), intent(inout), optional :: err
    end function

    ! N.B. `out` of the async forms must be contiguous, asynchronous, and stay where it is.
    type(c_ptr) function xc_map_range_async(view, fn, n, out, out_size, options, err) bind(c)
      import
      type(c_ptr), value :: view
      type(c_funptr), value :: fn
      integer(c_int64_t), value :: n
      type(c_ptr), value :: out
      integer(c_size_t), value :: out_size
      type(xc_map_options), intent(in), optional :: options
      type(xc_error), intent(inout), optional :: err
    end function

    type(c_ptr) function xc_map_async(view, fn, in, in_size, n, out, out_size, options, err) bind(c)
      import
      type(c_ptr), value :: view
      type(c_funptr), value :: fn
      type(*), intent(in) :: in(*)
      integer(c_size_t), value :: in_size
      integer(c_int64_t), value :: n
      type(c_ptr), value :: out
      integer(c_size_t), value :: out_size
      type(xc_map_options), intent(in), optional :: options
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int) function xc_wait(result, timeout, err) bind(c)
      import
      type(c_ptr), value :: result
      real(c_double), value :: timeout
      type(xc_error), intent(inout), optional :: err
    end function

    logical(c_bool) function xc_is_ready(result) bind(c)
      import
      type(c_ptr), value :: result
    end function

    integer(c_int) function xc_next(result, order, timeout, item, err) bind(c)
      import
      type(c_ptr), value :: result
      integer(c_int), value :: order
      real(c_double), value :: timeout
      integer(c_int64_t), intent(inout) :: item
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int) function xc_item_state(result, i) bind(c)
      import
      type(c_ptr), value :: result
      integer(c_int64_t), value :: i
    end function

    type(xc_progress) function xc_result_progress(result) bind(c)
      import
      type(c_ptr), value :: result
    end function

    real(c_double) function xc_result_elapsed(result) bind(c)
      import
      type(c_ptr), value :: result
    end function

    real(c_double) function xc_result_speedup(result) bind(c)
      import
      type(c_ptr), value :: result
    end function

    integer(c_int) function xc_cancel(result, how, err) bind(c)
      import
      type(c_ptr), value :: result
      integer(c_int), value :: how
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int) function xc_set_threads(view, threads, err) bind(c)
      import
      type(c_ptr), value :: view
      integer(c_int), value :: threads
      type(xc_error), intent(inout), optional :: err
    end function

    subroutine xc_result_destroy(result) bind(c)
      import
      type(c_ptr), value :: result
    end subroutine

    subroutine xc_array_free(array) bind(c)
      import
      type(xc_array), intent(inout) :: array
    end subroutine

    integer(c_int64_t) function xc_array_count(array) bind(c)
      import
      type(xc_array), intent(in) :: array
    end function

    integer(c_int64_t) function xc_task_index(task) bind(c)
      import
      type(c_ptr), value :: task
    end function

    integer(c_size_t) function xc_task_in_size(task) bind(c)
      import
      type(c_ptr), value :: task
    end function

    integer(c_int) function xc_task_engine(task) bind(c)
      import
      type(c_ptr), value :: task
    end function

    integer(c_int) function xc_task_attempt(task) bind(c)
      import
      type(c_ptr), value :: task
    end function

    integer(c_int) function xc_task_threads(task) bind(c)
      import
      type(c_ptr), value :: task
    end function

    logical(c_bool) function xc_task_is_cancelled(task) bind(c)
      import
      type(c_ptr), value :: task
    end function
  end interface

  ! With texts: for the procedures of the module xcluster alone.

  interface
    integer(c_int) function xci_open(client, cluster, err) bind(c, name='xc_open')
      import
      type(c_ptr), intent(inout) :: client
      character(kind=c_char), intent(in), optional :: cluster(*)
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int) function xci_push(view, name, array, err) bind(c, name='xc_push')
      import
      type(c_ptr), value :: view
      character(kind=c_char), intent(in) :: name(*)
      type(xc_array), intent(in) :: array
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int) function xci_scatter(view, name, array, err) bind(c, name='xc_scatter')
      import
      type(c_ptr), value :: view
      character(kind=c_char), intent(in) :: name(*)
      type(xc_array), intent(in) :: array
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int) function xci_pull(view, name, arrays, err) bind(c, name='xc_pull')
      import
      type(c_ptr), value :: view
      character(kind=c_char), intent(in) :: name(*)
      type(xc_array), intent(inout) :: arrays(*)
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int) function xci_gather(view, name, array, err) bind(c, name='xc_gather')
      import
      type(c_ptr), value :: view
      character(kind=c_char), intent(in) :: name(*)
      type(xc_array), intent(inout) :: array
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int) function xci_clear(view, name, err) bind(c, name='xc_clear')
      import
      type(c_ptr), value :: view
      character(kind=c_char), intent(in), optional :: name(*)
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int) function xci_load(view, path, err) bind(c, name='xc_load')
      import
      type(c_ptr), value :: view
      character(kind=c_char), intent(in) :: path(*)
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int) function xci_load_source(view, path, options, err) bind(c, name='xc_load_source')
      import
      type(c_ptr), value :: view
      character(kind=c_char), intent(in) :: path(*)
      type(c_ptr), value :: options
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int) function xci_execute(view, statements, options, err) bind(c, name='xc_execute')
      import
      type(c_ptr), value :: view
      character(kind=c_char), intent(in) :: statements(*)
      type(c_ptr), value :: options
      type(xc_error), intent(inout), optional :: err
    end function

    type(c_ptr) function xci_task_array(task, name) bind(c, name='xc_task_array')
      import
      type(c_ptr), value :: task
      character(kind=c_char), intent(in) :: name(*)
    end function

    integer(c_int) function xci_task_set(task, name, array) bind(c, name='xc_task_set')
      import
      type(c_ptr), value :: task
      character(kind=c_char), intent(in) :: name(*)
      type(xc_array), intent(in) :: array
    end function

    integer(c_int) function xci_task_fail(task, text) bind(c, name='xc_task_fail_text')
      import
      type(c_ptr), value :: task
      character(kind=c_char), intent(in) :: text(*)
    end function

    integer(c_int) function xci_task_return(task, data, size) bind(c, name='xc_task_return')
      import
      type(c_ptr), value :: task
      type(*), intent(in) :: data(*)
      integer(c_size_t), value :: size
    end function
  end interface
end module
