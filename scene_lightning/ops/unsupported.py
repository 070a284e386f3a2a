"""What of `keras.ops` is not here, and what to use instead."""

# The rest of Keras' list: functions that image classification does not call.
INSTEAD = {
    "Use torch.linalg in a Layer's call(), or a Lambda layer": (
        "cholesky cholesky_inverse det eig eigh inv jvp linalg lstsq lu_factor matrix_rank pinv qr solve "
        "solve_triangular svd"
    ),
    "Use the function that torch has for it in a Layer's call(), or a Lambda layer": (
        "adaptive_average_pool adaptive_max_pool allclose angle append arccosh arcsinh arctanh argpartition "
        "array_split associative_scan average bartlett bincount bitwise_and bitwise_invert bitwise_left_shift "
        "bitwise_not bitwise_or bitwise_right_shift bitwise_xor blackman cbrt cdist conj conjugate conv_transpose "
        "copy corrcoef correlate cross ctc_decode ctc_loss custom_gradient deg2rad depth_to_space diag diagflat "
        "diagonal diff digitize dot_product_attention dsplit dstack empty empty_like erfc erfinv exp2 "
        "extract_sequences fabs fft fft2 fliplr flipud fmax fmin fmod fold fori_loop full_like gcd geomspace "
        "get_item hamming hanning heaviside histogram hsplit hstack hypot i0 identity ifft2 imag inner irfft isclose "
        "isin isneginf isposinf isreal istft kaiser kron layer_normalization lcm ldexp left_shift logaddexp "
        "logaddexp2 logdet logspace meshgrid nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmedian "
        "nanmin nanpercentile nanprod nanquantile nanstd nansum nanvar nextafter nonzero outer percentile polar psnr "
        "ptp quantile rad2deg real rearrange rfft right_shift rms_normalization scan scatter scatter_update "
        "searchsorted segment_max segment_min segment_prod segment_sum select separable_conv signbit sinc "
        "slice_update slogdet space_to_depth stft switch tensordot trace trapezoid tri tril triu trunc unfold unique "
        "unravel_index vander vdot vectorize view view_as_complex view_as_real vsplit vstack"
    ),
}
