"""What a trained model is asked: predict, evaluate, calibrate, and its model card."""
