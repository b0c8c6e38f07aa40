! xcluster.f90: the calls of xcluster.h for Fortran 2018, through iso_c_binding.
!
! Compile it, and the two files that it uses, with your program, before your own files:
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
  use xcluster_calls
  use xcluster_random
  implicit none
  public
  private :: c_text, values_fit, failure_of_type
  private :: array_of_f64, array_of_f32, array_of_i32, array_of_i64
  private :: values_f64, values_f64_2, values_i32, values_i64
  private :: get_f64, get_f64_2, get_i32, get_i64

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

    r = xci_task_fail(task, c_text(text))
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
