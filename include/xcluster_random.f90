! xcluster_random.f90: random numbers of xcluster.h as they are in C. Programs use the module
! xcluster, which has all of them.
module xcluster_random
  use xcluster_calls
  implicit none
  public

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

    real(c_double) function xc_standard_gamma(rng, shape) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), value :: shape
    end function

    integer(c_int) function xc_standard_gamma_fill(rng, shape, out, n, err) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), value :: shape
      real(c_double), intent(inout) :: out(*)
      integer(c_size_t), value :: n
      type(xc_error), intent(inout), optional :: err
    end function

    real(c_double) function xc_gamma(rng, shape, scale) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), value :: shape
      real(c_double), value :: scale
    end function

    integer(c_int) function xc_gamma_fill(rng, shape, scale, out, n, err) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), value :: shape
      real(c_double), value :: scale
      real(c_double), intent(inout) :: out(*)
      integer(c_size_t), value :: n
      type(xc_error), intent(inout), optional :: err
    end function

    real(c_double) function xc_beta(rng, a, b) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), value :: a
      real(c_double), value :: b
    end function

    integer(c_int) function xc_beta_fill(rng, a, b, out, n, err) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), value :: a
      real(c_double), value :: b
      real(c_double), intent(inout) :: out(*)
      integer(c_size_t), value :: n
      type(xc_error), intent(inout), optional :: err
    end function

    real(c_double) function xc_chisquare(rng, df) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), value :: df
    end function

    integer(c_int) function xc_chisquare_fill(rng, df, out, n, err) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), value :: df
      real(c_double), intent(inout) :: out(*)
      integer(c_size_t), value :: n
      type(xc_error), intent(inout), optional :: err
    end function

    real(c_double) function xc_standard_t(rng, df) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), value :: df
    end function

    integer(c_int) function xc_standard_t_fill(rng, df, out, n, err) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), value :: df
      real(c_double), intent(inout) :: out(*)
      integer(c_size_t), value :: n
      type(xc_error), intent(inout), optional :: err
    end function

    real(c_double) function xc_lognormal(rng, mean, sigma) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), value :: mean
      real(c_double), value :: sigma
    end function

    integer(c_int) function xc_lognormal_fill(rng, mean, sigma, out, n, err) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), value :: mean
      real(c_double), value :: sigma
      real(c_double), intent(inout) :: out(*)
      integer(c_size_t), value :: n
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int64_t) function xc_binomial(rng, trials, p) bind(c)
      import
      type(c_ptr), value :: rng
      integer(c_int64_t), value :: trials
      real(c_double), value :: p
    end function

    integer(c_int) function xc_binomial_fill(rng, trials, p, out, n, err) bind(c)
      import
      type(c_ptr), value :: rng
      integer(c_int64_t), value :: trials
      real(c_double), value :: p
      integer(c_int64_t), intent(inout) :: out(*)
      integer(c_size_t), value :: n
      type(xc_error), intent(inout), optional :: err
    end function

    integer(c_int64_t) function xc_poisson(rng, lam) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), value :: lam
    end function

    integer(c_int) function xc_poisson_fill(rng, lam, out, n, err) bind(c)
      import
      type(c_ptr), value :: rng
      real(c_double), value :: lam
      integer(c_int64_t), intent(inout) :: out(*)
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
end module
