"""What of `keras.ops` is not here, and what to use instead."""

# The rest of Keras' list: functions that image classification does not call.
INSTEAD = {
    "Use torch.linalg in a Layer's call(), or a Lambda layer": "cholesky_inverse jvp lu_factor",
    "Use the function that torch has for it in a Layer's call(), or a Lambda layer": (
        "adaptive_average_pool adaptive_max_pool argpartition associative_scan cdist "
        "conv_transpose corrcoef correlate ctc_decode ctc_loss custom_gradient "
        "dot_product_attention dsplit erfc erfinv extract_sequences fft fold fori_loop geomspace get_item "
        "histogram hsplit irfft istft ldexp logdet nanargmax "
        "nanargmin nancumprod nancumsum nanmedian nanpercentile nanprod nanquantile polar rearrange rfft "
        "scan select "
        "separable_conv slogdet stft trapezoid unfold unique unravel_index "
        "vander vectorize view view_as_complex view_as_real vsplit"
    ),
}
