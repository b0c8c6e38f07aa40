! heat.f90: how long rods of many materials take to cool, each on some engine. The tasks are
! functions of this program, which is brought to the engines as it is.
module rod
  use xcluster
  implicit none
  private
  public :: cool

  ! What a task returns.
  type, bind(c), public :: cooling
    integer(c_int64_t) :: steps
    real(c_double) :: warmest
  end type

contains

  ! Steps of the heat equation, explicitly, with both ends at 0, until no point is warmer than
  ! half of what the warmest was.
  pure subroutine halved(start, diffusivity, steps, warmest)
    real(c_double), intent(in) :: start(:), diffusivity
    integer(c_int64_t), intent(out) :: steps
    real(c_double), intent(out) :: warmest
    real(c_double) :: u(size(start))
    integer :: n

    u = start
    n = size(u)
    steps = 0
    do while (maxval(u) > maxval(start)/2)
      u(2:n - 1) = u(2:n - 1) + diffusivity*(u(3:n) - 2*u(2:n - 1) + u(1:n - 2))
      steps = steps + 1
    end do
    warmest = maxval(u)
  end subroutine

  ! A task: one item is one diffusivity.
  function cool(task, diffusivity, out) bind(c) result(code)
    type(c_ptr), value :: task
    real(c_double), intent(in) :: diffusivity
    type(cooling), intent(out) :: out
    integer(c_int) :: code
    real(c_double), pointer :: start(:)

    code = xc_task_get(task, 'start', start)
    if (code /= 0) return
    if (diffusivity <= 0 .or. diffusivity > 0.5_c_double) then
      code = xc_task_fail(task, 'a diffusivity out of (0, 0.5] is not stable')
      return
    end if
    call halved(start, diffusivity, out%steps, out%warmest)
  end function
end module

program heat
  use, intrinsic :: iso_fortran_env, only: error_unit
  use xcluster
  use rod
  implicit none
  integer, parameter :: points = 101, materials = 8
  real(c_double), parameter :: pi = acos(-1.0_c_double)
  real(c_double), target :: start(points)
  real(c_double) :: diffusivity(materials)
  type(cooling) :: out(materials)
  type(c_ptr) :: client = c_null_ptr
  type(xc_error) :: err
  integer :: i

  start = [(100*sin(pi*i/(points - 1)), i = 0, points - 1)]
  diffusivity = [(0.06_c_double*i, i = 1, materials)]
  if (xc_open(client, err=err) < 0) call fail
  if (xc_push(xc_all(client), 'start', xc_array_of(start), err) < 0) call fail
  if (xc_map(xc_balanced(client), c_funloc(cool), diffusivity, c_sizeof(diffusivity(1)), &
             int(materials, c_int64_t), out, c_sizeof(out(1)), err=err) < 0) call fail
  do i = 1, materials
    print '("diffusivity ", f4.2, ": ", i5, " steps, then at most ", f7.4)', &
      diffusivity(i), out(i)%steps, out(i)%warmest
  end do

  ! One that fails says why.
  diffusivity(3) = 0.7_c_double
  if (xc_map(xc_balanced(client), c_funloc(cool), diffusivity(3:3), c_sizeof(diffusivity(1)), &
             1_c_int64_t, out, c_sizeof(out(1)), err=err) /= XC_EFAILED) call fail
  print '(a)', trim(text_behind(xc_error_text(err), 'engine '))
  call xc_close(client)

contains

  ! Without the number of the engine, which nobody knows beforehand.
  function text_behind(text, word) result(rest)
    character(*), intent(in) :: text, word
    character(:), allocatable :: rest

    rest = text(index(text, word) + len(word):)
    rest = rest(index(rest, ': ') + 2:)
  end function

  subroutine fail
    write (error_unit, '(a)') 'heat: '//xc_error_text(err)
    call xc_close(client)
    stop 1
  end subroutine
end program
