"""What of `keras.ops` is not here, and what to use instead."""

# The rest of Keras' list: functions that image classification does not call.
INSTEAD = {
    "Use torch.linalg in a Layer's call(), or a Lambda layer": "cholesky_inverse jvp lu_factor",
    "Use the function that torch has for it in a Layer's call(), or a Lambda layer": (
        "adaptive_average_pool adaptive_max_pool argpartition associative_scan bartlett blackman cdist "
        "conv_transpose corrcoef correlate ctc_decode ctc_loss custom_gradient depth_to_space "
        "dot_product_attention dsplit erfc erfinv extract_sequences fft fft2 fold fori_loop geomspace get_item "
        "hamming hanning histogram hsplit ifft2 irfft istft kaiser layer_normalization ldexp logdet nanargmax "
        "nanargmin nancumprod nancumsum nanmedian nanpercentile nanprod nanquantile polar psnr rearrange rfft "
        "rms_normalization scan scatter scatter_update segment_max segment_min segment_prod segment_sum select "
        "separable_conv slice_update slogdet space_to_depth stft switch trapezoid unfold unique unravel_index "
        "vander vectorize view view_as_complex view_as_real vsplit"
    ),
}
