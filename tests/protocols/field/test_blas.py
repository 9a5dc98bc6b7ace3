"""BLAS on one thread: for as long as anybody multiplies, and as before afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from zkwm_protocols.field import blas
from zkwm_protocols.field.blas import in_threads, matrix_product, one_blas_thread


def blas_threads() -> set[int]:
    return {
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
    }


def test_one_thread_until_the_end() -> None:
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        with one_blas_thread():
            with one_blas_thread():
                assert blas_threads() == {1}
            assert blas_threads() == {1}
        assert blas_threads() == before


def test_an_error_puts_the_threads_back() -> None:
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        with pytest.raises(ValueError, match="matmul"):
            matrix_product(np.ones((2, 3)), np.ones((2, 3)))
        assert blas_threads() == before


def test_a_product_is_a_product() -> None:
    left, right = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)
    assert np.array_equal(matrix_product(left, right), left @ right)


@pytest.mark.parametrize("cores", ["1", "3"])
def test_every_part_is_done_once(cores: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_NUM_THREADS", cores)
    assert blas.cores() == int(cores)
    done = np.zeros(20, dtype=np.int64)

    def count(part: int) -> None:
        done[part] += 1

    in_threads(count, range(20))
    assert (done == 1).all()

    def fail(part: int) -> None:
        if part == 11:
            raise ValueError("part 11")

    with pytest.raises(ValueError, match="part 11"):
        in_threads(fail, range(20))
    in_threads(count, [])
