! streams.f90: ten items draw 1,000 normals each, each from a stream of its own, in Fortran:
! the numbers of examples/random_spawn.c, and with "jumped" those of examples/random_jumped.c,
! which are numpy's.
module summaries
  use xcluster
  implicit none
  private
  public :: summarize
  integer(c_size_t), parameter :: draws = 1000

  type, bind(c), public :: summary
    real(c_double) :: mean, std
  end type

contains

  function summarize(task, item, out) bind(c) result(code)
    type(c_ptr), value :: task
    integer(c_int64_t), intent(in) :: item
    type(summary), intent(out) :: out
    integer(c_int) :: code
    real(c_double) :: x(draws)
    type(c_ptr) :: rng

    code = XC_TASK_FAILED
    rng = xc_task_rng(task)
    if (.not. c_associated(rng)) return
    call xc_standard_normal_fill(rng, x, draws)
    out%mean = xc_mean(x, draws)
    out%std = xc_std(x, draws)
    code = 0
  end function
end module

program streams
  use, intrinsic :: iso_fortran_env, only: error_unit
  use xcluster
  use summaries
  implicit none
  integer(c_int64_t), parameter :: items = 10
  type(xc_map_options) :: options
  type(summary) :: out(items)
  type(c_ptr) :: client = c_null_ptr
  type(xc_error) :: err
  character(6) :: how
  integer :: i

  call get_command_argument(1, how)
  options%seed = 1
  options%streams = merge(XC_JUMPED, XC_SPAWNED, how == 'jumped')
  if (xc_open(client, err=err) < 0) call fail
  if (xc_map_range(xc_balanced(client), c_funloc(summarize), items, out, c_sizeof(out(1)), &
                   options, err) < 0) call fail
  do i = 1, int(items)
    print '("item ", i0, ": mean ", es24.16e3, ", std ", es24.16e3)', i - 1, out(i)%mean, out(i)%std
  end do
  call xc_close(client)

contains

  subroutine fail
    write (error_unit, '(a)') 'streams: '//xc_error_text(err)
    call xc_close(client)
    stop 1
  end subroutine
end program
