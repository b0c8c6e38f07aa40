! xcluster.f90: the calls of xcluster.h for Fortran 2018, through iso_c_binding.
!
! Compile it with your program, before your own files:
!
!   gfortran $(pkg-config --variable=fortran xcluster) a.f90 -o a $(pkg-config --libs xcluster)
!
! Names, order of arguments, results and errors are those of xcluster.h. Beside that:
!
!  - Handles (client, view, task, result, rng, seq) are type(c_ptr).
!  - Numbers without sign of C are the numbers of the same bits.
!  - A task is a bind(c) function of a module, given as c_funloc(task). Its arguments are
!    task (type(c_ptr), value), and by reference in and out, of the types of the items.
!  - Texts are Fortran's; blanks at their end are not sent.
!  - `err`, `options` and results that are not wanted may be left out.
!  - An xc_array has C's order of dimensions: x(m, n) of Fortran has the shape n, m.
module xcluster
  use, intrinsic :: iso_c_binding
  implicit none
  public
  private :: c_text, values_fit, failure_of_type
  private :: array_of_f64, array_of_f32, array_of_i32, array_of_i64
  private :: values_f64, values_f64_2, values_i32, values_i64
  private :: get_f64, get_f64_2, get_i32, get_i64

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

  type, bind(c) :: xc_progress
    integer(c_int64_t) :: items, done, failed
  end type

  ! ---- As they are in C ------------------------------------------------------------------

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

    logical(c_bool) function xc_task_is_cancelled(task) bind(c)
      import
      type(c_ptr), value :: task
    end function
  end interface

  ! ---- Random numbers --------------------------------------------------------------------

  interface
    integer(c_int) function xc_seedseq_of(seq, seed, err) bind(c)
      import
      type(c_ptr), intent(inout) :: seq
      integer(c_int64_t), value :: seed
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int) function xc_seedseq_child(seq, j, child, err) bind(c)
      import
      type(c_ptr), value :: seq
      integer(c_int64_t), value :: j
      type(c_ptr), intent(inout) :: child
      type(xc_error), intent(inout), optional :: err
    end function

    subroutine xc_seedseq_free(seq) bind(c)
      import
      type(c_ptr), value :: seq
    end subroutine

    integer(c_int) function xc_rng_new(rng, bitgen, seed, err) bind(c)
      import
      type(c_ptr), intent(inout) :: rng
      integer(c_int), value :: bitgen
      integer(c_int64_t), value :: seed
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int) function xc_rng_from(rng, bitgen, seq, err) bind(c)
      import
      type(c_ptr), intent(inout) :: rng
      integer(c_int), value :: bitgen
      type(c_ptr), value :: seq
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int) function xc_rng_jumped(copy, rng, jumps, err) bind(c)
      import
      type(c_ptr), intent(inout) :: copy
      type(c_ptr), value :: rng
      integer(c_int64_t), value :: jumps
      type(xc_error), intent(inout), optional :: err
    end function

    subroutine xc_rng_free(rng) bind(c)
      import
      type(c_ptr), value :: rng
    end subroutine

    integer(c_int64_t) function xc_rng_next64(rng) bind(c)
      import
      type(c_ptr), value :: rng
    end function

    real(c_double) function xc_random(rng) bind(c)
      import
      type(c_ptr), value :: rng
    end function

    subroutine xc_random_fill(rng, out, n) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), intent(inout) :: out(*)
      integer(c_size_t), value :: n
    end subroutine

    real(c_double) function xc_uniform(rng, low, high) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), value :: low
      real(c_double), value :: high
    end function

    integer(c_int) function xc_uniform_fill(rng, low, high, out, n, err) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), value :: low
      real(c_double), value :: high
      real(c_double), intent(inout) :: out(*)
      integer(c_size_t), value :: n
      type(xc_error), intent(inout), optional :: err
    end function

    real(c_double) function xc_standard_normal(rng) bind(c)
      import
      type(c_ptr), value :: rng
    end function

    subroutine xc_standard_normal_fill(rng, out, n) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), intent(inout) :: out(*)
      integer(c_size_t), value :: n
    end subroutine

    real(c_double) function xc_normal(rng, mean, deviation) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), value :: mean
      real(c_double), value :: deviation
    end function

    integer(c_int) function xc_normal_fill(rng, mean, deviation, out, n, err) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), value :: mean
      real(c_double), value :: deviation
      real(c_double), intent(inout) :: out(*)
      integer(c_size_t), value :: n
      type(xc_error), intent(inout), optional :: err
    end function

    real(c_double) function xc_standard_exponential(rng) bind(c)
      import
      type(c_ptr), value :: rng
    end function

    subroutine xc_standard_exponential_fill(rng, out, n) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), intent(inout) :: out(*)
      integer(c_size_t), value :: n
    end subroutine

    real(c_double) function xc_exponential(rng, scale) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), value :: scale
    end function

    integer(c_int) function xc_exponential_fill(rng, scale, out, n, err) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), value :: scale
      real(c_double), intent(inout) :: out(*)
      integer(c_size_t), value :: n
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int) function xc_integer(rng, low, high, endpoint, out, err) bind(c)
      import
      type(c_ptr), value :: rng
      integer(c_int64_t), value :: low
      integer(c_int64_t), value :: high
      logical(c_bool), value :: endpoint
      integer(c_int64_t), intent(inout) :: out
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int) function xc_integers_fill(rng, dtype, low, high, endpoint, out, n, err) bind(c)
      import
      type(c_ptr), value :: rng
      integer(c_int), value :: dtype
      integer(c_int64_t), value :: low
      integer(c_int64_t), value :: high
      logical(c_bool), value :: endpoint
      type(*), intent(inout) :: out(*)
      integer(c_size_t), value :: n
      type(xc_error), intent(inout), optional :: err
    end function

    subroutine xc_shuffle(rng, base, n, size) bind(c)
      import
      type(c_ptr), value :: rng
      type(*), intent(inout) :: base(*)
      integer(c_size_t), value :: n
      integer(c_size_t), value :: size
    end subroutine

    subroutine xc_permutation(rng, out, n) bind(c)
      import
      type(c_ptr), value :: rng
      integer(c_int64_t), intent(inout) :: out(*)
      integer(c_size_t), value :: n
    end subroutine

    real(c_double) function xc_mean(values, n) bind(c)
      import
      real(c_double), intent(in) :: values(*)
      integer(c_size_t), value :: n
    end function

    real(c_double) function xc_std(values, n) bind(c)
      import
      real(c_double), intent(in) :: values(*)
      integer(c_size_t), value :: n
    end function

    type(c_ptr) function xc_task_rng(task) bind(c)
      import
      type(c_ptr), value :: task
    end function
  end interface

  ! ---- With texts: for the procedures below alone -----------------------------------------

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

    ! Its further arguments are those of the format: here, always one text.
    integer(c_int) function xci_task_fail(task, format, text) bind(c, name='xc_task_fail')
      import
      type(c_ptr), value :: task
      character(kind=c_char), intent(in) :: format(*), text(*)
    end function

    integer(c_int) function xci_task_return(task, data, size) bind(c, name='xc_task_return')
      import
      type(c_ptr), value :: task
      type(*), intent(in) :: data(*)
      integer(c_size_t), value :: size
    end function
  end interface

  ! An array to be pushed, of any rank. Of the caller's memory: x must be a target, contiguous,
  ! and live as long.
  interface xc_array_of
    procedure array_of_f64, array_of_f32, array_of_i32, array_of_i64
  end interface

  ! Has x point to the values of an array: 0, or XC_TASK_FAILED when they are of another type
  ! or rank.
  interface xc_values
    procedure values_f64, values_f64_2, values_i32, values_i64
  end interface

  ! Has x point to the variable `name` of this engine; read only. 0, or XC_TASK_FAILED with a
  ! text that names it.
  interface xc_task_get
    procedure get_f64, get_f64_2, get_i32, get_i64
  end interface

contains

  pure function c_text(text)
    character(*), intent(in) :: text
    character(kind=c_char, len=len_trim(text) + 1) :: c_text

    c_text = trim(text)//c_null_char
  end function

  pure function xc_error_text(err) result(text)
    type(xc_error), intent(in) :: err
    character(:), allocatable :: text
    integer :: i

    text = ''
    do i = 1, size(err%text)
      if (err%text(i) == c_null_char) exit
      text = text//err%text(i)
    end do
  end function

  integer(c_int) function xc_open(client, cluster, err) result(r)
    type(c_ptr), intent(inout) :: client
    character(*), intent(in), optional :: cluster
    type(xc_error), intent(inout), optional :: err

    if (present(cluster)) then
      r = xci_open(client, c_text(cluster), err)
    else
      r = xci_open(client, err=err)
    end if
  end function

  integer(c_int) function xc_push(view, name, array, err) result(r)
    type(c_ptr), intent(in) :: view
    character(*), intent(in) :: name
    type(xc_array), intent(in) :: array
    type(xc_error), intent(inout), optional :: err

    r = xci_push(view, c_text(name), array, err)
  end function

  integer(c_int) function xc_scatter(view, name, array, err) result(r)
    type(c_ptr), intent(in) :: view
    character(*), intent(in) :: name
    type(xc_array), intent(in) :: array
    type(xc_error), intent(inout), optional :: err

    r = xci_scatter(view, c_text(name), array, err)
  end function

  integer(c_int) function xc_pull(view, name, arrays, err) result(r)
    type(c_ptr), intent(in) :: view
    character(*), intent(in) :: name
    type(xc_array), intent(inout) :: arrays(*)
    type(xc_error), intent(inout), optional :: err

    r = xci_pull(view, c_text(name), arrays, err)
  end function

  integer(c_int) function xc_gather(view, name, array, err) result(r)
    type(c_ptr), intent(in) :: view
    character(*), intent(in) :: name
    type(xc_array), intent(inout) :: array
    type(xc_error), intent(inout), optional :: err

    r = xci_gather(view, c_text(name), array, err)
  end function

  integer(c_int) function xc_clear(view, name, err) result(r)
    type(c_ptr), intent(in) :: view
    character(*), intent(in), optional :: name
    type(xc_error), intent(inout), optional :: err

    if (present(name)) then
      r = xci_clear(view, c_text(name), err)
    else
      r = xci_clear(view, err=err)
    end if
  end function

  integer(c_int) function xc_load(view, path, err) result(r)
    type(c_ptr), intent(in) :: view
    character(*), intent(in) :: path
    type(xc_error), intent(inout), optional :: err

    r = xci_load(view, c_text(path), err)
  end function

  ! Compiled with the default options.
  integer(c_int) function xc_load_source(view, path, err) result(r)
    type(c_ptr), intent(in) :: view
    character(*), intent(in) :: path
    type(xc_error), intent(inout), optional :: err

    r = xci_load_source(view, c_text(path), c_null_ptr, err)
  end function

  integer(c_int) function xc_execute(view, statements, err) result(r)
    type(c_ptr), intent(in) :: view
    character(*), intent(in) :: statements
    type(xc_error), intent(inout), optional :: err

    r = xci_execute(view, c_text(statements), c_null_ptr, err)
  end function

  integer(c_int) function xc_task_set(task, name, array) result(r)
    type(c_ptr), intent(in) :: task
    character(*), intent(in) :: name
    type(xc_array), intent(in) :: array

    r = xci_task_set(task, c_text(name), array)
  end function

  integer(c_int) function xc_task_fail(task, text) result(r)
    type(c_ptr), intent(in) :: task
    character(*), intent(in) :: text

    r = xci_task_fail(task, c_text('%s'), c_text(text))
  end function

  integer(c_int) function xc_task_return(task, data, size) result(r)
    type(c_ptr), intent(in) :: task
    type(*), intent(in) :: data(*)
    integer(c_size_t), intent(in) :: size

    r = xci_task_return(task, data, size)
  end function

  ! ---- Arrays ----------------------------------------------------------------------------

  function array_of_f64(x) result(array)
    real(c_double), intent(in), target, contiguous :: x(..)
    type(xc_array) :: array
    integer :: i

    array%dtype = XC_F64
    array%ndim = rank(x)
    array%shape(1:rank(x)) = [(size(x, rank(x) + 1 - i, c_int64_t), i = 1, rank(x))]
    array%data = c_loc(x)
  end function

  function array_of_f32(x) result(array)
    real(c_float), intent(in), target, contiguous :: x(..)
    type(xc_array) :: array
    integer :: i

    array%dtype = XC_F32
    array%ndim = rank(x)
    array%shape(1:rank(x)) = [(size(x, rank(x) + 1 - i, c_int64_t), i = 1, rank(x))]
    array%data = c_loc(x)
  end function

  function array_of_i32(x) result(array)
    integer(c_int32_t), intent(in), target, contiguous :: x(..)
    type(xc_array) :: array
    integer :: i

    array%dtype = XC_I32
    array%ndim = rank(x)
    array%shape(1:rank(x)) = [(size(x, rank(x) + 1 - i, c_int64_t), i = 1, rank(x))]
    array%data = c_loc(x)
  end function

  function array_of_i64(x) result(array)
    integer(c_int64_t), intent(in), target, contiguous :: x(..)
    type(xc_array) :: array
    integer :: i

    array%dtype = XC_I64
    array%ndim = rank(x)
    array%shape(1:rank(x)) = [(size(x, rank(x) + 1 - i, c_int64_t), i = 1, rank(x))]
    array%data = c_loc(x)
  end function

  pure integer(c_int) function values_fit(array, dtype, ndim) result(r)
    type(xc_array), intent(in) :: array
    integer(c_int), intent(in) :: dtype, ndim

    r = merge(0_c_int, XC_TASK_FAILED, array%dtype == dtype .and. array%ndim == ndim)
  end function

  integer(c_int) function values_f64(array, x) result(r)
    type(xc_array), intent(in) :: array
    real(c_double), pointer, intent(out) :: x(:)

    x => null()
    r = values_fit(array, XC_F64, 1)
    if (r == 0) call c_f_pointer(array%data, x, array%shape(1:1))
  end function

  integer(c_int) function values_f64_2(array, x) result(r)
    type(xc_array), intent(in) :: array
    real(c_double), pointer, intent(out) :: x(:, :)

    x => null()
    r = values_fit(array, XC_F64, 2)
    if (r == 0) call c_f_pointer(array%data, x, array%shape(2:1:-1))
  end function

  integer(c_int) function values_i32(array, x) result(r)
    type(xc_array), intent(in) :: array
    integer(c_int32_t), pointer, intent(out) :: x(:)

    x => null()
    r = values_fit(array, XC_I32, 1)
    if (r == 0) call c_f_pointer(array%data, x, array%shape(1:1))
  end function

  integer(c_int) function values_i64(array, x) result(r)
    type(xc_array), intent(in) :: array
    integer(c_int64_t), pointer, intent(out) :: x(:)

    x => null()
    r = values_fit(array, XC_I64, 1)
    if (r == 0) call c_f_pointer(array%data, x, array%shape(1:1))
  end function

  integer(c_int) function failure_of_type(task, name) result(r)
    type(c_ptr), intent(in) :: task
    character(*), intent(in) :: name

    r = xc_task_fail(task, 'variable "'//name//'" has another type or rank than is wanted')
  end function

  integer(c_int) function get_f64(task, name, x) result(r)
    type(c_ptr), intent(in) :: task
    character(*), intent(in) :: name
    real(c_double), pointer, intent(out) :: x(:)
    type(xc_array), pointer :: array

    x => null()
    r = XC_TASK_FAILED
    call c_f_pointer(xci_task_array(task, c_text(name)), array)
    if (.not. associated(array)) return
    r = xc_values(array, x)
    if (r /= 0) r = failure_of_type(task, name)
  end function

  integer(c_int) function get_f64_2(task, name, x) result(r)
    type(c_ptr), intent(in) :: task
    character(*), intent(in) :: name
    real(c_double), pointer, intent(out) :: x(:, :)
    type(xc_array), pointer :: array

    x => null()
    r = XC_TASK_FAILED
    call c_f_pointer(xci_task_array(task, c_text(name)), array)
    if (.not. associated(array)) return
    r = xc_values(array, x)
    if (r /= 0) r = failure_of_type(task, name)
  end function

  integer(c_int) function get_i32(task, name, x) result(r)
    type(c_ptr), intent(in) :: task
    character(*), intent(in) :: name
    integer(c_int32_t), pointer, intent(out) :: x(:)
    type(xc_array), pointer :: array

    x => null()
    r = XC_TASK_FAILED
    call c_f_pointer(xci_task_array(task, c_text(name)), array)
    if (.not. associated(array)) return
    r = xc_values(array, x)
    if (r /= 0) r = failure_of_type(task, name)
  end function

  integer(c_int) function get_i64(task, name, x) result(r)
    type(c_ptr), intent(in) :: task
    character(*), intent(in) :: name
    integer(c_int64_t), pointer, intent(out) :: x(:)
    type(xc_array), pointer :: array

    x => null()
    r = XC_TASK_FAILED
    call c_f_pointer(xci_task_array(task, c_text(name)), array)
    if (.not. associated(array)) return
    r = xc_values(array, x)
    if (r /= 0) r = failure_of_type(task, name)
  end function
end module
