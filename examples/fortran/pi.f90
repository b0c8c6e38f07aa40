! pi.f90: pi by throwing darts: what the items hit is summed up on the engines, so that one
! number comes back. It is the same on any number of engines.
module darts
  use xcluster
  implicit none
  private
  public :: throw
  integer(c_size_t), parameter, public :: throws = 2000

contains

  function throw(task, item, hits) bind(c) result(code)
    type(c_ptr), value :: task
    integer(c_int64_t), intent(in) :: item
    integer(c_int64_t), intent(out) :: hits
    integer(c_int) :: code
    real(c_double) :: places(2, throws)
    type(c_ptr) :: rng

    code = XC_TASK_FAILED
    rng = xc_task_rng(task)
    if (.not. c_associated(rng)) return
    call xc_random_fill(rng, places, 2*throws)
    hits = count(places(1, :)**2 + places(2, :)**2 < 1, kind=c_int64_t)
    code = 0
  end function
end module

program pi
  use, intrinsic :: iso_fortran_env, only: error_unit
  use xcluster
  use darts
  implicit none
  integer(c_int64_t), parameter :: items = 2500
  type(xc_reduction) :: how
  type(xc_map_options) :: options
  type(xc_error) :: err
  type(c_ptr) :: client = c_null_ptr
  integer(c_int64_t) :: hits(1)

  how%kind = XC_REDUCE_SUM
  how%dtype = XC_I64
  options%seed = 314
  if (xc_open(client, err=err) < 0) call fail
  if (xc_map_reduce(xc_balanced(client), c_funloc(throw), items, how, hits, c_sizeof(hits), &
                    options, err) < 0) call fail
  print '("pi is about ", f9.7)', 4*real(hits(1), c_double)/(items*throws)
  call xc_close(client)

contains

  subroutine fail
    write (error_unit, '(a)') 'pi: '//xc_error_text(err)
    call xc_close(client)
    stop 1
  end subroutine
end program
